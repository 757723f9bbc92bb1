"""Speech corpora in their published folder layouts, read as the utterances of a manifest; one file a layout."""

from myqasr_fx.corpora.read import read_corpus

__all__ = ["read_corpus"]
