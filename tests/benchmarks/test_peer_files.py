"""What the other systems' files are made from."""

from peer_files import byte_letters


def test_bytes_are_written_as_byte_level_tokenizers_write_them() -> None:
    letters = byte_letters()
    assert len(set(letters.values())) == 256
    assert "".join(letters[byte] for byte in b"a caf\xc3\xa9\n") == "aĠcafÃ©Ċ"
