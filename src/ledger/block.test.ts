import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BLOCK_AGE_MS,
  BLOCK_ENTRIES_MAX,
  type Block,
  blockHash,
  close,
  NO_BLOCK,
  type OpenBlock,
  type SealedEntry,
  seal,
} from './block.ts'

test('blocks follow each other without a gap, each holding the hash of the one before', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: BLOCK_AGE_MS }), { maxLength: 60 }), (pauses) => {
      const { closed, open } = sealed(entriesAfter(pauses))
      const all = open ? [...closed, close(open)] : closed
      let previous = NO_BLOCK
      let offset = 0n
      for (const [n, block] of all.entries()) {
        assert.deepEqual([block.number, block.previous, block.firstOffset], [n + 1, previous, `${offset}`])
        assert.ok(block.lastAt - block.firstAt < BLOCK_AGE_MS)
        assert.equal(block.hash, blockHash(block))
        offset = BigInt(block.lastOffset) + 1n
        previous = block.hash
      }
      assert.equal(offset, BigInt(pauses.length))
    }),
  )
})

test('a block ends when it is full', () => {
  const { closed, open } = sealed(entriesAfter(Array.from({ length: BLOCK_ENTRIES_MAX + 1 }, () => 0)))
  assert.deepEqual(
    closed.map(({ entries }) => entries),
    [BLOCK_ENTRIES_MAX],
  )
  assert.equal(open?.tree.leaves, 1)
})

test('an entry that is changed, lost or out of order changes every block from its own on', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.nat(),
      fc.constantFrom('amount', 'account', 'lost', 'order'),
      (count, at, what) => {
        const entries = entriesAfter(Array.from({ length: count }, () => BLOCK_AGE_MS / 4))
        const index = at % (count - 1)
        const before = hashesOf(entries)
        const after = hashesOf(tampered(entries, index, what))
        const own = Math.floor(index / 4)
        assert.deepEqual(after.slice(0, own), before.slice(0, own))
        for (const [n, hash] of before.slice(own).entries()) assert.notEqual(after[own + n], hash)
      },
    ),
  )
})

function tampered(entries: readonly SealedEntry[], at: number, what: string): SealedEntry[] {
  const [one, other] = [entries[at], entries[at + 1]]
  if (!one || !other) return [...entries]
  if (what === 'lost') return entries.toSpliced(at, 1)
  if (what === 'order') {
    const swapped = { ...other, bookedAt: one.bookedAt }
    return entries.toSpliced(at, 2, swapped, { ...one, bookedAt: other.bookedAt })
  }
  const [posting, ...rest] = one.postings
  const changed = what === 'amount' ? { ...posting, amount: '6' } : { ...posting, account: 'thief' }
  return entries.toSpliced(at, 1, {
    ...one,
    postings: [{ account: '', amount: '', currency: '', ...changed }, ...rest],
  })
}

function hashesOf(entries: readonly SealedEntry[]): string[] {
  const { closed, open } = sealed(entries)
  return [...closed, ...(open ? [close(open)] : [])].map(({ hash }) => hash)
}

function sealed(entries: readonly SealedEntry[]): { closed: Block[]; open: OpenBlock | undefined } {
  const closed: Block[] = []
  let open: OpenBlock | undefined
  for (const [n, entry] of entries.entries()) {
    const next = seal(open, { partition: 3, offset: BigInt(n) }, entry)
    if (next.closed) closed.push(next.closed)
    open = next.open
  }
  return { closed, open }
}

function entriesAfter(pauses: readonly number[]): SealedEntry[] {
  let bookedAt = 1_700_000_000_000
  return pauses.map((pause, n) => {
    bookedAt += pause
    const about = { tenant: 'main', mode: 'test', purpose: 'entry', effectiveAt: 1, bookedAt }
    const postings = [
      { account: 'a', amount: '5', currency: 'EUR' },
      { account: 'b', amount: '-5', currency: 'EUR' },
    ]
    return { ...about, entry: `ent_${n}`, source: `entry/${n}`, postings }
  })
}
