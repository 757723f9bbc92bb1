"""From annotations to operators: fake quantization in torch, QDQ for files."""
