"""Mean opinion scores: the analysis of blind ratings, as in Ledig et al. 2017, §3.3."""
