import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock'
import { dayOf } from '#kernel/day'
import { fund, setUp } from './currencies.ts'

const page = (name: string) => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8')

test('what docs/currencies.md has one send and run, works in that order', async (t) => {
  const { ask, millrace } = await setUp(t)
  await fund(ask, 100_000)
  const blocks = [...page('currencies.md').matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
  const today = dayOf(systemClock.now())
  const rates = `day,base,currency,rate\n${today},EUR,JPY,160\n2026-11-20,EUR,JPY,160\n`
  const done: string[] = []
  for (const block of blocks) {
    for (const line of block.replaceAll(/\\\n|\n {2}(?=")/g, ' ').split('\n')) {
      const [, path, body] = /^curl http:\/\/127\.0\.0\.1:4040(\S+) .*-d '(.*)'/.exec(line) ?? []
      if (path !== undefined && body !== undefined) {
        const { status, body: answer } = await ask('POST', path, JSON.parse(body))
        assert.ok(status < 300, `${line}: ${JSON.stringify(answer)}`)
        done.push(path)
      }
      const [, command = '', file] =
        /^npx millrace (fx [^#]*?(\S+\.csv|https?:\S+)?(?: --\w+ \S+)*) *(?:#.*)?$/.exec(line) ?? []
      // The files of the ECB have a test of their own; here only what is in reach is imported.
      if (command === '' || file?.startsWith('http') || file === 'eurofxref.csv') continue
      const args = command
        .trim()
        .split(/ +/)
        .filter((word) => word !== file)
      const { code, err } = file === undefined ? await millrace(...args) : await millrace.withFile(rates, ...args)
      assert.equal(code, 0, `${line}: ${err}`)
      done.push(args.slice(0, 2).join(' '))
    }
  }
  const expected = [
    'fx import',
    'fx list',
    '/v1/fx/rates',
    '/v1/ledger/conversions',
    '/v1/ledger/conversion-quotes',
    'fx revalue',
  ]
  assert.deepEqual(done, expected)
})

test('the statement that docs/ledger.md asks for is one', async (t) => {
  const { ask, millrace } = await setUp(t)
  await fund(ask, 100_000)
  const [, command = ''] = /^npx millrace (statement .*?) *(?:#.*)?$/m.exec(page('ledger.md')) ?? []
  const { code, out, err } = await millrace(...command.split(' '))
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^TIME +ENTRY.*\n.* opening .*\n/)
})
