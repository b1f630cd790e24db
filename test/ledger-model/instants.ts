import type { Account } from './books.ts'
import { type Chance, chanceOf } from './chance.ts'
import type { Platforms } from './platform.ts'
import type { Batch } from './topic.ts'

/** A posting of the log: who reads it needs no model of how it came to be. */
type Line = {
  account: string
  currency: string
  amount: bigint
  source: string
  place: number
  effective: number
  booked: number
}

/** How often each kind of question is asked. */
export type Questions = { readonly seed: string; readonly rounds: number }

type Told = Record<string, string>
type Page = { opening: string; closing: string; data: Told[]; next_cursor: string | null }

/**
 * Asks the platform for balances, statements and trial balances at random instants of either time, and compares them with the
 * postings on the log, added up one by one. Returns what differs.
 */
export async function compareInstants(
  platforms: Platforms,
  accounts: readonly Account[],
  batches: readonly Batch[],
  { seed, rounds }: Questions,
): Promise<string[]> {
  const lines = linesOf(batches)
  const sides = new Map(accounts.map(({ name, growsBy }) => [name, growsBy]))
  const chance = chanceOf(seed, 'instants')
  const wrong: string[] = []
  const isDebit = (account: string): boolean => sides.get(account) !== 'credit'
  const differ = (what: string, told: unknown, wanted: unknown): void => {
    if (JSON.stringify(told) !== JSON.stringify(wanted))
      wrong.push(
        `${what}: told is ${JSON.stringify(told).slice(0, 600)}, by the log it is ${JSON.stringify(wanted).slice(0, 600)}`,
      )
  }

  const balance = async (): Promise<void> => {
    const { account } = chance.of(lines)
    const [at, query] = instants(chance, lines)
    const { balances } = await ask<{ balances: Told[] }>(platforms, chance, `/v1/accounts/${account}/balance?${query}`)
    differ(
      `balance of ${account} at ${query}`,
      balances,
      sumsOf(
        lines.filter((line) => line.account === account && at(line)),
        isDebit,
      ).map(withoutAccount),
    )
  }
  const trialBalance = async (isNow: boolean): Promise<void> => {
    const [at, query] = isNow ? [() => true, ''] : instants(chance, lines)
    const told = await ask<{ accounts: Told[]; totals: Told[] }>(platforms, chance, `/v1/trial-balance?${query}`)
    differ(
      `trial balance at ${query}`,
      told.accounts.map(({ type: _, ...line }) => line),
      sumsOf(lines.filter(at), isDebit),
    )
    differ(
      `what does not add up at ${query}`,
      told.totals.filter(({ difference }) => difference !== '0'),
      [],
    )
  }
  const statement = async (): Promise<void> => {
    const { account, currency } = chance.of(lines)
    const booked = chance.of(lines).booked
    const of = lines.filter((line) => line.account === account && line.currency === currency && line.booked <= booked)
    const [from, through] = stretch(chance, of)
    const query = `currency=${currency}&from=${iso(from)}&through=${iso(through)}&booked_at=${iso(booked)}&limit=100`
    const told = await pages(platforms, chance, `/v1/accounts/${account}/statement?${query}`)
    differ(`statement of ${account}: ${query}`, told, statementOf(of, from, through, isDebit(account)))
  }

  await trialBalance(true)
  for (let round = 0; round < rounds; round++) {
    await balance()
    await balance()
    await statement()
    await trialBalance(false)
  }
  return wrong
}

function linesOf(batches: readonly Batch[]): Line[] {
  return batches.flatMap(({ units }) =>
    units.flatMap(({ facts }) =>
      facts.flatMap(({ time, data: { source = '', effectiveAt = 0, postings = [] } }) =>
        postings.map(({ account, amount, currency }, place) => {
          return { account, currency, amount: BigInt(amount), source, place, effective: effectiveAt, booked: time }
        }),
      ),
    ),
  )
}

/** From one line to another, with as many between them as three pages hold. */
function stretch(chance: Chance, lines: readonly Line[]): [from: number, through: number] {
  const instantsOfLines = lines.map(({ effective }) => effective).sort((a, b) => a - b)
  const first = chance.below(instantsOfLines.length)
  const from = instantsOfLines[first] ?? 0
  return [from, instantsOfLines[first + chance.below(300)] ?? from]
}

/** By one time, the other or both; often the very instant of a posting, or the one before it. */
function instants(chance: Chance, lines: readonly Line[]): [at: (line: Line) => boolean, query: string] {
  const effective = chance.isOnce(4) ? undefined : chance.of(lines).effective - chance.below(2)
  const booked = effective === undefined || chance.isOnce(2) ? chance.of(lines).booked - chance.below(2) : undefined
  const query = [
    ...(effective === undefined ? [] : [`effective_at=${iso(effective)}`]),
    ...(booked === undefined ? [] : [`booked_at=${iso(booked)}`]),
  ]
  const at = (line: Line): boolean =>
    line.effective <= (effective ?? Number.POSITIVE_INFINITY) && line.booked <= (booked ?? Number.POSITIVE_INFINITY)
  return [at, query.join('&')]
}

function sumsOf(lines: readonly Line[], isDebit: (account: string) => boolean): Told[] {
  const sums = new Map<string, { debit: bigint; credit: bigint; entries: number }>()
  for (const { account, currency, amount } of lines) {
    const key = `${account} ${currency}`
    const sum = sums.get(key) ?? { debit: 0n, credit: 0n, entries: 0 }
    if (amount > 0n) sum.debit += amount
    else sum.credit -= amount
    sum.entries++
    sums.set(key, sum)
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { debit, credit, entries }]) => {
      const [account = '', currency = ''] = key.split(' ')
      const balance = isDebit(account) ? debit - credit : credit - debit
      return { account, currency, debit: `${debit}`, credit: `${credit}`, balance: `${balance}`, entries: `${entries}` }
    })
}

function withoutAccount({ account: _, ...rest }: Told): Told {
  return rest
}

function statementOf(lines: readonly Line[], from: number, through: number, isDebit: boolean) {
  const sign = isDebit ? 1n : -1n
  const before = lines.filter(({ effective }) => effective < from).reduce((sum, { amount }) => sum + sign * amount, 0n)
  const within = lines.filter(({ effective }) => effective >= from && effective <= through).sort(inOrder)
  let running = before
  const data = within.map(({ effective, booked, source, amount }) => {
    running += sign * amount
    return {
      effective_at: iso(effective),
      booked_at: iso(booked),
      source,
      debit: amount > 0n ? `${amount}` : '0',
      credit: amount < 0n ? `${-amount}` : '0',
      balance: `${running}`,
    }
  })
  return { opening: `${before}`, data, closing: `${running}` }
}

function inOrder(a: Line, b: Line): number {
  if (a.effective !== b.effective) return a.effective - b.effective
  return a.source === b.source ? a.place - b.place : a.source < b.source ? -1 : 1
}

async function pages(platforms: Platforms, chance: Chance, path: string) {
  const first = await ask<Page>(platforms, chance, path)
  const data = [...first.data]
  let last = first
  while (last.next_cursor !== null) {
    last = await ask<Page>(platforms, chance, `${path}&cursor=${encodeURIComponent(last.next_cursor)}`)
    data.push(...last.data)
  }
  return { opening: first.opening, data, closing: last.closing }
}

async function ask<Answer>({ fetch, urls, authorization }: Platforms, chance: Chance, path: string): Promise<Answer> {
  const answer = await fetch({
    method: 'GET',
    url: `${chance.of(urls)}${path}`,
    headers: { authorization },
    timeoutMs: 60_000,
  })
  if (answer.status !== 200) throw new Error(`GET ${path} is answered with ${answer.status}: ${answer.body}`)
  return JSON.parse(answer.body)
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
