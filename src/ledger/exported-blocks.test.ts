import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOCK_AGE_MS, type Block, type OpenBlock, type SealedEntry, seal } from './block.ts'
import { ExportedBlocks } from './exported-blocks.ts'

// Whoever can write to all files can also make blocks anew. Of entries that follow each other at a third of a block's age,
// with the amount of one changed.

const books = sealed(entries(12))
const forged = sealed(entries(12, { at: 1, amount: '900' }))

test('blocks that are as they were sealed are found so, and the last one is the head', async () => {
  const { findings, heads } = await walk(entries(12), books.blocks, books.open)
  assert.deepEqual(findings, [])
  assert.deepEqual(heads, [{ partition: 0, number: 3, hash: books.blocks[2]?.hash }])
})

test('a block that was made anew shows in the one behind it', async () => {
  const [first, ...rest] = books.blocks
  assert.ok(first && forged.blocks[0] && first.hash !== forged.blocks[0].hash)
  const { findings } = await walk(entries(12, { at: 1, amount: '900' }), [forged.blocks[0], ...rest], books.open)
  assert.deepEqual(findings, [
    'ledger.block, line 3: block 2 of ledger/0, offsets 3 to 5: the block before it is another than when it was sealed',
  ])
})

test('blocks that were all made anew show in nothing but a hash that was noted', async () => {
  const changed = entries(12, { at: 1, amount: '900' })
  assert.deepEqual((await walk(changed, forged.blocks, forged.open)).findings, [])
  const noted = books.blocks[2]?.hash ?? ''
  const { findings } = await walk(changed, forged.blocks, forged.open, [noted])
  assert.deepEqual(findings, [
    `no block has the hash ${noted} that was noted: blocks were removed from the end, or made anew`,
  ])
})

test('where entries are elsewhere the chain is looked at, and the blocks behind it are made again', async () => {
  const { findings, made } = await walk(entries(12), books.blocks, books.open, [books.blocks[0]?.hash ?? ''], 4)
  assert.deepEqual([findings, made], [[], 1])
})

async function walk(
  all: readonly SealedEntry[],
  sealedBlocks: readonly Block[],
  open: OpenBlock,
  noted: readonly string[] = [],
  from = 0,
) {
  const findings: string[] = []
  const placed = sealedBlocks.map((block, place) => ({ ...block, file: 'ledger.block', line: place + 2 }))
  const iterator = (async function* () {
    yield* placed
  })()
  const tell = (finding: string): void => void findings.push(finding)
  const blocks = new ExportedBlocks({ blocks: iterator, noted: new Set(noted), tell })
  await blocks.begin(0)
  if (from > 0) await blocks.skipTo(BigInt(from))
  for (const [offset, entry] of all.entries()) {
    if (offset >= from) await blocks.add({ partition: 0, offset: BigInt(offset), where: `line ${offset}` }, entry)
  }
  await blocks.end({ ...open, file: 'ledger.open_block', line: 2 })
  await blocks.finish()
  return { findings, heads: blocks.heads, made: blocks.made }
}

function sealed(all: readonly SealedEntry[]): { blocks: Block[]; open: OpenBlock } {
  const blocks: Block[] = []
  let open: OpenBlock | undefined
  for (const [offset, entry] of all.entries()) {
    const next = seal(open, { partition: 0, offset: BigInt(offset) }, entry)
    if (next.closed) blocks.push(next.closed)
    open = next.open
  }
  assert.ok(open)
  return { blocks, open }
}

function entries(count: number, change?: { at: number; amount: string }): SealedEntry[] {
  return Array.from({ length: count }, (_, n) => {
    const amount = change?.at === n ? change.amount : '5'
    const postings = [
      { account: 'a', amount, currency: 'EUR' },
      { account: 'b', amount: `-${amount}`, currency: 'EUR' },
    ]
    const about = { tenant: 'main', mode: 'test', purpose: 'sale', effectiveAt: 1, bookedAt: (n * BLOCK_AGE_MS) / 3 }
    return { ...about, entry: `ent_${n}`, source: `entry/${n}`, postings }
  })
}
