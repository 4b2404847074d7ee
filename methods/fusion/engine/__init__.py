"""What fusions are made of: votes as patterns, expectation maximisation, rater models, ties and regions."""
