import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ExportedRow } from '#backup'
import { seededRandom } from '#kernel/random'
import { verifyExport, verifyLedger } from '#ledger'
import { type Books, books, check, exportOf, millrace, read } from './exported-books.ts'
import { everyForgeryIsFound } from './forged-books.ts'

// An auditor has an export, and nothing else. Goal: whatever is changed in what it says of the books is found. Method: an
// export with everything that the ledger keeps, changed in a drawn place as somebody would who mends all checksums too.

test('whatever is changed in the books of an export is found', async (t) => {
  const { book, exported } = await books(t)
  await book('one', 'two', 'three')
  const held = await read(await exported('all'))
  const well = await check(held)
  assert.deepEqual([well.findings, well.entries, well.isWhole], [[], 99, true])
  assert.ok(well.blocks > 8, `${well.blocks} blocks`)
  await saysWhere(held)
  await everyForgeryIsFound(held, 30)
})

/** What is told of the usual forgeries: file, line, entry and block. */
async function saysWhere(held: Books): Promise<void> {
  const change = (table: string, at: number, cells: ExportedRow['cells']): Books => {
    const rows = held[table] ?? []
    const row = rows[at]
    assert.ok(row)
    return { ...held, [table]: rows.with(at, { ...row, cells: { ...row.cells, ...cells } }) }
  }
  const rowOf = (table: string, isWanted: (cells: ExportedRow['cells']) => boolean): number =>
    (held[table] ?? []).findIndex(({ cells }) => isWanted(cells))
  const entry = rowOf('ledger.entry', ({ source }) => source === 'entry/one-8')
  const fx = rowOf('ledger.entry', ({ source }) => source === 'entry/one-fx')
  const event = rowOf('log.record', ({ key, topic }) => topic === 'ledger' && key === 'entry/one-8')
  const said = held['log.record']?.[event]?.cells ?? {}
  const blocks = held['ledger.block'] ?? []
  const second = rowOf('ledger.block', ({ number }) => number === '2')
  const block = held['ledger.block']?.findIndex(({ cells }) => cells.partition === said.partition) ?? -1
  const forgeries: [what: string, forged: Books, finding: RegExp][] = [
    [
      'an amount in the ledger',
      change('ledger.entry', entry, { amounts: '{16,-16}' }),
      new RegExp(
        `^ledger.entry.jsonl.zst, line ${entry + 2}: entry entry/one-8 \\(ent_[0-9a-f]+\\) is not as on the log ` +
          `\\(log.record.jsonl.zst, line ${event + 2}, ledger/${said.partition} at ${said.offset}\\)$`,
      ),
    ],
    [
      'a posting in the ledger',
      change('ledger.entry', fx, { accounts: '{cash}', amounts: '{125}', currencies: '{USD}' }),
      new RegExp(`^ledger.entry.jsonl.zst, line ${fx + 2}: entry entry/one-fx \\(ent_[0-9a-f]+\\) does not balance$`),
    ],
    [
      'an amount on the log',
      change('log.record', event, { event: (said.event ?? '').replaceAll(/"(-?)15"/g, '"$116"') }),
      new RegExp(
        `^ledger.block.jsonl.zst, line ${block + 2}: block 1 of ledger/${said.partition}, offsets \\d+ to \\d+: an entry of it is not as it was sealed$`,
      ),
    ],
    [
      'blocks in another order',
      { ...held, 'ledger.block': blocks.toSpliced(second - 1, 2, ...blocks.slice(second - 1, second + 1).reverse()) },
      new RegExp(
        `^ledger.block.jsonl.zst, line ${second + 2}: block 2 of ledger/\\d, .*: it stands where block 1 should$`,
      ),
    ],
    [
      'the last block',
      { ...held, 'ledger.block': blocks.slice(0, -1) },
      /^ledger.open_block.jsonl.zst, line \d+: what follows the last block is not as it was when it was exported$/,
    ],
    [
      'a balance',
      change('ledger.balance', 1, { debit: '1', credit: '2' }),
      /^ledger.balance.jsonl.zst, line \d+: the balance of cash in EUR is not the sum of its postings: debit \d+ by its postings, debit \d+ by its row/,
    ],
  ]
  for (const [what, forged, finding] of forgeries) {
    const { findings } = await check(forged)
    assert.ok(
      findings.some((one) => finding.test(one)),
      `${what}: ${findings.join('\n')}`,
    )
  }
}

test('an export that ends before a noted block is found, and a bit turned in any file of one', async (t) => {
  const { app, book, exported } = await books(t)
  await book('one', 'two')
  const early = await exported('early')
  await book('three')
  const late = await exported('late')
  const { heads } = await verifyLedger(app.databases.read)
  const noted = heads.map(({ hash }) => hash)
  const exportedHeads = await check(await read(late))
  assert.deepEqual(exportedHeads.heads, heads)
  assert.deepEqual((await check(await read(late), noted)).findings, [])
  assert.deepEqual((await check(await read(early))).findings, [])
  const { findings } = await check(await read(early), noted)
  assert.match(findings.join('\n'), /^no block has the hash [0-9a-f]{64} that was noted/)

  assert.deepEqual(await millrace(['verify', '--export', late, '--head', noted[0] ?? '']), {
    code: 0,
    out: [`All is well: 99 entries, 204 postings, ${exportedHeads.blocks} blocks.`],
  })
  const mistakes: [args: string[], line: RegExp][] = [
    [
      ['verify', '--export', join(late, 'nowhere')],
      /nowhere holds no export: name what `millrace export` has written\.$/,
    ],
    [
      ['verify', '--head', 'abc'],
      /^--head must be the hash of a block: 64 digits of hex, as `millrace verify --heads`/,
    ],
    [['verify', '--archive', '.'], /^--archive goes with --export: else set MILLRACE_ARCHIVE_DIR\.$/],
    [
      ['journal', 'x', '--format', 'xml'],
      /^--format must be hledger, jsonl or parquet\. See: millrace journal --help$/,
    ],
  ]
  for (const [args, line] of mistakes) {
    const { code, out } = await millrace(args)
    assert.deepEqual([code, out.length], [2, 1])
    assert.match(out[0] ?? '', line)
  }
  const shown = await millrace(['verify', '--export', late, '--heads'])
  assert.deepEqual(
    shown.out.slice(1),
    heads.map(({ partition, number, hash }) => `head of ledger/${partition}, block ${number}: ${hash}`),
  )
  for (const file of ['ledger.entry.jsonl.zst', 'log.record.jsonl.zst', 'ledger.account.jsonl.zst', 'manifest.json']) {
    const undo = await turnBitOf(join(late, file))
    const { code, out } = await millrace(['verify', '--export', late])
    assert.equal(code, 1)
    assert.match(out.join('\n'), new RegExp(`wrong: ${RegExp.escape(file)}`))
    await undo()
  }
})

test('what is in the archive alone is checked with it, and without it what remains', async (t) => {
  const { book, exported } = await books(t)
  await book('one', 'two')
  const held = await read(await exported('all'))
  // As when the first events of each partition are archived and dropped.
  const isOld = ({ cells }: ExportedRow): boolean => cells.topic === 'ledger' && Number(cells.offset) < 3
  const old = Map.groupBy((held['log.record'] ?? []).filter(isOld), ({ cells }) => cells.partition ?? '')
  const segments = [...old].map(([partition, rows], place) => {
    const range = { first_offset: '0', end_offset: `${rows.length}`, file: `ledger/${partition}`, checksum: '' }
    return { file: 'log.segment', line: place + 2, cells: { topic: 'ledger', partition, ...range } }
  })
  const archived: Books = {
    ...held,
    'log.segment': segments,
    'log.record': (held['log.record'] ?? []).filter((row) => !isOld(row)),
  }
  const without = await check(archived)
  assert.deepEqual([without.isWhole, without.findings], [false, []])
  const readSegment = async function* ({ file }: { file: string }) {
    yield (old.get(file.slice('ledger/'.length)) ?? []).map(({ cells: { offset, key, type, time, event } }) => ({
      offset: BigInt(offset ?? ''),
      key: key ?? '',
      type: type ?? '',
      time: (time ?? '').replace(' ', 'T').replace('+00', 'Z'),
      event: event ?? '',
    }))
  }
  const whole = await verifyExport(exportOf(archived), { random: seededRandom(5), readSegment })
  assert.deepEqual([whole.isWhole, whole.findings, whole.entries], [true, [], 66])
  const lost = { ...archived, 'ledger.balance': (archived['ledger.balance'] ?? []).slice(1) }
  assert.match((await check(lost)).findings.join('\n'), /is not the sum of its postings: debit \d+ by its postings/)
})

async function turnBitOf(path: string): Promise<() => Promise<void>> {
  const whole = await readFile(path)
  const changed = Buffer.from(whole)
  const place = Math.floor(whole.length * 0.6)
  changed[place] = (whole[place] ?? 0) ^ 4
  await writeFile(path, changed)
  return () => writeFile(path, whole)
}
