"""Does calibrating on one's own recordings help: calibration target x test target matrices, controls and an answer."""
