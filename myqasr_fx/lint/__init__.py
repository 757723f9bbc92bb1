"""What onnxruntime makes of any quantized ONNX file, ours or not."""
