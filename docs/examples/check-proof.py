"""Checks that an entry is in a sealed block, with nothing but the proof and a block's hash as somebody noted it:

    python3 check-proof.py PROOF.json HASH

Merkle trees as in RFC 9162, sections 2.1.1 and 2.1.3.2, over SHA-256.
"""

import hashlib
import json
import sys


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of_entry(proof, entries):
    place, last = proof["index"], entries - 1
    if not 0 <= place <= last:
        return b""
    root = sha256(b"\0", proof["entry"].encode())
    for beside in map(bytes.fromhex, proof["path"]):
        if last == 0:
            return b""
        if place % 2 == 1 or place == last:
            root = sha256(b"\1", beside, root)
            while place % 2 == 0 and place != 0:
                place, last = place // 2, last // 2
        else:
            root = sha256(b"\1", root, beside)
        place, last = place // 2, last // 2
    return root if last == 0 else b""


def hash_of_chain(proof):
    last = sha256(proof["block"].encode()).hex()
    for text in proof["chain"]:
        if json.loads(text)["previous"] != last:
            return ""
        last = sha256(text.encode()).hex()
    return last


file, noted = sys.argv[1:]
with open(file, encoding="utf-8") as text:
    proof = json.load(text)
block = json.loads(proof["block"])
is_in_block = root_of_entry(proof, block["entries"]).hex() == block["root"]
is_noted = hash_of_chain(proof) == noted
print("the entry", "is" if is_in_block else "IS NOT", "in the block")
print("the block", "is" if is_noted else "IS NOT", "in the chain up to the one that was noted")
print(proof["entry"])
sys.exit(0 if is_in_block and is_noted else 1)
