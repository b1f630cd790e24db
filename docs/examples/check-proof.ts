/**
 * Checks that an entry is in a sealed block, with nothing but the proof and the block's hash as somebody noted it:
 *
 *   node check-proof.ts PROOF.json HASH
 *
 * Merkle trees as in RFC 9162, section 2.1.3.2, over SHA-256.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const sha256 = (...parts: (Buffer | string)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const [file = '', noted = ''] = process.argv.slice(2)
const proof = JSON.parse(readFileSync(file, 'utf8'))
const block = JSON.parse(proof.block)

/** The root that the entry leads to along the path. */
function rootOfEntry(): string {
  let [place, last] = [proof.index, block.entries - 1]
  let hash = sha256(Buffer.from([0]), proof.entry)
  for (const beside of proof.path.map((hex: string) => Buffer.from(hex, 'hex'))) {
    if (last === 0) return 'the path is too long'
    if (place % 2 === 1 || place === last) {
      hash = sha256(Buffer.from([1]), beside, hash)
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)]
    } else hash = sha256(Buffer.from([1]), hash, beside)
    ;[place, last] = [Math.floor(place / 2), Math.floor(last / 2)]
  }
  return last === 0 ? hash.toString('hex') : 'the path is too short'
}

const isInBlock = rootOfEntry() === block.root
const isNotedBlock = sha256(proof.block).toString('hex') === noted
console.log(`the entry ${isInBlock ? 'is' : 'IS NOT'} in the block`)
console.log(`the block ${isNotedBlock ? 'is' : 'IS NOT'} the one whose hash was noted`)
console.log(proof.entry)
process.exit(isInBlock && isNotedBlock ? 0 : 1)
