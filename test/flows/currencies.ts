import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { startReceiver } from '#harness/receiver'
import { UsageError } from '#kernel/errors'
import { findCommand, readCall } from '../../src/cli/command.ts'
import { commands } from '../../src/cli/commands.ts'
import { startTestPlatform, type TestPlatform } from './platform.ts'

/** As the European Central Bank publishes it. */
export const history = `Date,USD,JPY,CYP,
2026-03-03,1.25,160,N/A,
2026-03-02,1.2,150,N/A,
`
export const noon = (day: string) => `${day}T12:00:00.000Z`

export type Ask = (method: string, path: string, body?: object) => ReturnType<TestPlatform['request']>

/** A platform, somebody who asks it, and the commands on its database. */
export async function setUp(t: TestContext) {
  const { url } = await createDatabase(t)
  const platform = await startTestPlatform(t, { databaseUrl: url })
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const run = async (...args: string[]) => {
    const [out, err]: [string[], string[]] = [[], []]
    const print = (line: string) => void out.push(line)
    const warn = (line: string) => void err.push(line)
    const found = findCommand(commands, args)
    assert.ok(found)
    const world = { cwd: directory.path, env: { DATABASE_URL: url }, print, warn }
    const code = await found.command.run(readCall(found, world)).catch((error: unknown) => {
      if (!(error instanceof UsageError)) throw error
      warn(error.message)
      return 2
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  const millrace = Object.assign(run, {
    withFile(text: string, ...args: string[]) {
      writeFileSync(join(directory.path, 'rates.csv'), text)
      return run(...args, 'rates.csv')
    },
    async withUrl(within: TestContext, text: string, ...args: string[]) {
      const bank = await startReceiver(within, () => ({ status: 200, body: text }))
      const answer = await run(...args, `${bank.url}/eurofxref-hist.csv`)
      assert.equal(answer.code, 0, answer.err)
    },
  })
  const ask: Ask = (method, path, body) =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
  return { platform, millrace, ask }
}

export async function fund(ask: Ask, amount: number): Promise<void> {
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'wallet:ada', type: 'liability', floor: 0 })
  const transfers = [{ debit: 'cash', credit: 'wallet:ada', amount, currency: 'EUR' }]
  assert.equal((await ask('POST', '/v1/ledger/entries', { id: 'topup', transfers })).status, 201)
}

export async function balancesOf(platform: TestPlatform, account: string): Promise<Record<string, string>> {
  const { balances = [] } = (await platform.request('GET', `/v1/accounts/${account}`)).body
  const lines: { currency: string; balance: string }[] = Object(balances)
  return Object.fromEntries(lines.map(({ currency, balance }) => [currency, balance]))
}
