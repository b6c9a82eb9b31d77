"""Rating results blind: the mean-opinion-score test of Ledig et al. 2017, §3.3, without Qt."""
