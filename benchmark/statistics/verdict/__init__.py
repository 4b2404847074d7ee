"""The verdict on two or more candidates: a test over subjects and trained models, and what may be said from it."""
