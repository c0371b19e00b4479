"""`python -m auditor`: hands over to the command line and holds no logic."""

from auditor.cli import main

if __name__ == "__main__":
    main()
