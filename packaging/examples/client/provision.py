"""Asks every question of every camera.

    python3 provision.py http://dock-box-01:8787 TOKEN_FILE https://your-app.example/events < cameras.txt

A line of cameras.txt is a URL and a label.
"""

import sys
from pathlib import Path

from stakeout_client import Stakeout

QUESTIONS = {
    "Is a person inside the yellow zone?": {"severity": "high"},
    "Is a fire exit blocked?": {"severity": "critical"},
    "Is a forklift driving among people?": {"severity": "high"},
}

address, token_file, webhook_url = sys.argv[1:]
box = Stakeout(address, Path(token_file).read_text().strip())
for line in filter(str.strip, sys.stdin):
    url, label = line.split(maxsplit=1)
    stream = box.connect(url, label.strip())
    for question, metadata in QUESTIONS.items():
        watch = box.subscribe(stream["id"], question, webhook_url, metadata=metadata | {"zone": label.strip()})
        print(stream["id"], watch["id"], question, sep="\t")
