"""The answer of a report in plain sentences, which never say more than the statistics do."""
