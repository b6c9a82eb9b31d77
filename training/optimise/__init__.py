"""What a step minimises and how: losses, optimizers, averaging, distillation."""
