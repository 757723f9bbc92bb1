"""From a lowered graph to an ONNX file of standard operators."""
