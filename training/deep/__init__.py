"""Neural models of posts and users, fitted with JAX (requirements-deep.lock); numpy computes their scores."""
