import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyFrontier, grow, inclusionPath, leafHash, nodeHash, rootAlong, rootOf } from './merkle.ts'

test('a growing tree has the roots of the standard', () => {
  const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(leafHash) as [string, string, string, string, string]
  const roots = [
    a,
    nodeHash(a, b),
    nodeHash(nodeHash(a, b), c),
    nodeHash(nodeHash(a, b), nodeHash(c, d)),
    nodeHash(nodeHash(nodeHash(a, b), nodeHash(c, d)), e),
  ]
  let tree = emptyFrontier
  for (const [n, leaf] of [a, b, c, d, e].entries()) {
    tree = grow(tree, leaf)
    assert.equal(rootOf(tree), roots[n])
  }
})

test('the empty leaf has the hash of the standard', () => {
  // RFC 9162 takes it over from RFC 6962: SHA-256 of one byte of zero.
  assert.equal(leafHash(''), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
})

test('every leaf is proven by its path, and by no other leaf, place, size or path', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, at, other) => {
      const leaves = Array.from({ length: count }, (_, n) => leafHash(`leaf ${n}`))
      const root = rootOf(leaves.reduce(grow, emptyFrontier))
      const index = at % count
      const path = inclusionPath(leaves, index)
      const leaf = leaves[index] ?? ''
      assert.equal(rootAlong(leaf, index, count, path), root)
      assert.notEqual(rootAlong(leafHash('another'), index, count, path), root)
      assert.notEqual(rootAlong(leaf, index, count, [...path, leafHash('more')]), root)
      if (other % count !== index) assert.notEqual(rootAlong(leaf, other % count, count, path), root)
      if (path.length > 0) assert.notEqual(rootAlong(leaf, index, count, path.toSpliced(other % path.length, 1)), root)
    }),
  )
})
