import { hash } from 'node:crypto'

/** Merkle trees as RFC 9162, section 2.1 (as RFC 6962 before it) defines them, over SHA-256; hashes are 64 digits of hex. */

export function leafHash(text: string): string {
  return hash('sha256', `\u0000${text}`, 'hex')
}

export function nodeHash(left: string, right: string): string {
  node.write(left, 1, 'hex')
  node.write(right, 1 + HASH_BYTES, 'hex')
  return hash('sha256', node, 'hex')
}

const HASH_BYTES = 32
/** One for all: it is filled and hashed at once. */
const node = Buffer.alloc(1 + 2 * HASH_BYTES, 1)

/** A tree as it grows: the roots of its full subtrees, the largest first, and how many leaves there are. */
export type Frontier = { readonly leaves: number; readonly roots: readonly string[] }

export const emptyFrontier: Frontier = { leaves: 0, roots: [] }

/** The tree with one leaf more. Two subtrees of one size are merged, as a carry is in a binary counter. */
export function grow({ leaves, roots }: Frontier, leaf: string): Frontier {
  const grown = roots.slice()
  let root = leaf
  for (let carry = leaves; carry % 2 === 1; carry = (carry - 1) / 2) root = nodeHash(grown.pop() ?? '', root)
  grown.push(root)
  return { leaves: leaves + 1, roots: grown }
}

/** Of a tree with at least one leaf. */
export function rootOf({ roots }: Frontier): string {
  return roots.reduceRight((right, left) => nodeHash(left, right))
}

/** What proves that a leaf is in a tree: the hashes beside its way to the root, the nearest first (RFC 9162, 2.1.3.1). */
export function inclusionPath(leaves: readonly string[], index: number): string[] {
  if (leaves.length <= 1) return []
  const split = largestPowerBelow(leaves.length)
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)]
  return index < split
    ? [...inclusionPath(left, index), treeRoot(right)]
    : [...inclusionPath(right, index - split), treeRoot(left)]
}

/** The root that a leaf at this place of so many leads to along a path; undefined when the path does not fit (2.1.3.2). */
export function rootAlong(leaf: string, index: number, leaves: number, path: readonly string[]): string | undefined {
  if (index >= leaves) return undefined
  let [place, last] = [index, leaves - 1]
  let root = leaf
  for (const beside of path) {
    if (last === 0) return undefined
    if (place % 2 === 1 || place === last) {
      root = nodeHash(beside, root)
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)]
    } else root = nodeHash(root, beside)
    ;[place, last] = [Math.floor(place / 2), Math.floor(last / 2)]
  }
  return last === 0 ? root : undefined
}

function treeRoot(leaves: readonly string[]): string {
  return rootOf(leaves.reduce(grow, emptyFrontier))
}

function largestPowerBelow(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}
