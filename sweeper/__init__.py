"""Many runs: a search space, workers that pull trials from a shared study, and the answer they give."""
