"""Use cases: orchestrate the domain, know no framework."""
