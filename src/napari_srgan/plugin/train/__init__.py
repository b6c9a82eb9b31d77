"""The widget that models are fine-tuned in, by processes that outlive it."""
