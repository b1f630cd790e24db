import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { type ArchivedRow, lineOf, rowOf } from './row.ts'
import { ArchiveDamaged, blockOf, blocksNaming, readBlock, readIndex, writeSegment } from './segment-file.ts'

const about = { topic: 'toy', partition: 3, previous: null }

const rows: fc.Arbitrary<ArchivedRow> = fc.record({
  offset: fc.bigInt({ min: 0n, max: 2n ** 60n }),
  position: fc.bigInt({ min: 1n, max: 2n ** 60n }),
  time: fc.constant('2026-11-21T09:30:00.123456Z'),
  key: fc.string({ unit: 'grapheme' }),
  type: fc.string(),
  event: fc.json({ noUnicodeString: false }).map((data) => `{"id":"evt_1","data":${data}}`),
  attachment: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
})

test('a record is read back from its line as it was written, byte for byte', () => {
  fc.assert(
    fc.property(rows, (row) => {
      const line = lineOf(row)
      assert.deepEqual(rowOf(line.slice(0, -1)), { ...row })
      // For people and other programs it is plain JSON.
      assert.equal(JSON.parse(line).key, row.key)
    }),
  )
  const tricky = { ...row(0), key: ',"event":{', type: '\\",\\"event\\":' }
  assert.deepEqual(rowOf(lineOf(tricky).slice(0, -1)), tricky)
})

test('a segment of many blocks gives every event by its offset, key and id', async (t) => {
  const path = await segment(t, 3_000)
  const index = await readIndex(path)
  assert.ok(index.blocks.length > 3, `${index.blocks.length} blocks`)
  for (const offset of [0, 1, 1_499, 2_999]) {
    const block = blockOf(index, offset)
    assert.ok(block)
    assert.equal((await readBlock(path, block)).filter((one) => one.offset === BigInt(offset)).length, 1)
  }
  for (const name of ['key_7', 'evt_2999']) {
    const named = blocksNaming(index, name)
    const found = (await Promise.all(named.map((block) => readBlock(path, block)))).flat()
    assert.ok(found.some(({ key, event }) => key === name || event.includes(`"${name}"`)))
  }
  assert.ok(blocksNaming(index, 'evt_2999').length < index.blocks.length)
  assert.deepEqual(blocksNaming(index, 'nobody'), [])
  // Each block stands for itself: whoever has but the file can read it, with any Zstandard.
  const [first] = index.blocks
  const text = zstdDecompressSync((await readFile(path)).subarray(first?.at, (first?.at ?? 0) + (first?.bytes ?? 0)))
  assert.match(text.toString(), /^\{"offset":0,/)
})

test('no bit of a segment can be turned without it being noticed', async (t) => {
  const path = await segment(t, 20)
  const whole = await readFile(path)
  const read = async (): Promise<void> => {
    for (const block of (await readIndex(path)).blocks) await readBlock(path, block)
  }
  await read()
  for (let at = 0; at < whole.length; at++) {
    // The header of the index's frame is for other programs: nothing here goes by it.
    const isFrameHeader = whole.readUInt32LE(Math.min(at, whole.length - 4)) === 0x184d2a50
    if (isFrameHeader) at += 8
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(path, damaged)
    await assert.rejects(read, ArchiveDamaged, `byte ${at} of ${whole.length}`)
  }
  await writeFile(path, whole.subarray(0, -1))
  await assert.rejects(read, ArchiveDamaged)
})

function row(n: number): ArchivedRow {
  const event = JSON.stringify({ id: `evt_${n}`, data: { text: 'x'.repeat(400), n } })
  const [offset, position] = [BigInt(n), BigInt(n + 1)]
  return {
    offset,
    position,
    time: '2026-11-21T09:30:00.000000Z',
    key: `key_${n % 50}`,
    type: 'toy',
    event,
    attachment: null,
  }
}

async function segment(t: TestContext, events: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-segment-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'segment')
  async function* pages() {
    for (let n = 0; n < events; n += 100) yield Array.from({ length: Math.min(100, events - n) }, (_, i) => row(n + i))
  }
  await writeSegment(path, about, pages())
  return path
}
