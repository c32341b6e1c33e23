"""Train a network: `python train.py surrogate=sigmoid`; `--help` lists the options."""

from surrolab.cli import train

if __name__ == "__main__":
    train()
