"""``python -m myqasr_fx``."""

from myqasr_fx.cli import main

if __name__ == "__main__":
    main()
