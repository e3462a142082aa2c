"""The workplace: departments and cities report, reviewers check, everything stands in the journal."""
