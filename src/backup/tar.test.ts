import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { readTar } from './tar.ts'

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

test('what tar has packed is read whole, however it comes in pieces', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tar-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const contents = new Map(
    [0, 1, 511, 512, 513, 5000].map((size) => [`files/f${size}`, Buffer.alloc(size, size % 251)]),
  )
  mkdirSync(join(directory, 'files'))
  for (const [name, content] of contents) writeFileSync(join(directory, name), content)
  const packed = execFileSync('tar', ['--format=ustar', '-C', directory, '-cf', '-', 'files'])

  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1 }), async (sizes) => {
      const found = new Map<string, Buffer>()
      for await (const { name, kind, content, bytes } of readTar(inPieces(packed, sizes))) {
        const parts: Buffer[] = []
        for await (const part of content) parts.push(part)
        if (kind === 'file') found.set(name, Buffer.concat(parts))
        assert.equal(Buffer.concat(parts).length, bytes)
      }
      assert.deepEqual(new Map([...found].sort()), new Map([...contents].sort()))
    }),
    { numRuns: 30 },
  )
})

test('an archive that ends in the middle of a file is refused', async () => {
  const header = Buffer.alloc(512)
  header.write('name', 0)
  header.write('00000001000', 124)
  const read = async (): Promise<void> => {
    for await (const { content } of readTar(inPieces(Buffer.concat([header, Buffer.alloc(100)]), [64])))
      for await (const _ of content);
  }
  await assert.rejects(read, /an archive is whole/)
})
