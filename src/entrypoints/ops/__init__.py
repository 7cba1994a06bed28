"""Operations: looking after a deployed stack; what the commands ``millrace ops`` find and change."""
