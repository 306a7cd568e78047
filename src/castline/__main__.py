"""`python -m castline` is the command line."""

from castline.cli.main import main

if __name__ == "__main__":
    main()
