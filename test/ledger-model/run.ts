import { systemClock } from '#kernel/clock'
import { availableOf, type Books } from './books.ts'
import { type Call, isRefusal } from './call.ts'
import { type Load, runClients } from './clients.ts'
import { compareInstants } from './instants.ts'
import { judge } from './judge.ts'
import { type Ending, type Platforms, startPlatforms } from './platform.ts'
import { send } from './send.ts'
import { settle } from './settle.ts'
import { readTopic } from './topic.ts'
import { accountsOfModel, openAccounts } from './world.ts'

export type RunOptions = Load & {
  readonly databaseUrl: string
  /** Platforms on the one database, each of which the clients ask. */
  readonly platforms: number
  /** Rounds of questions about random instants. */
  readonly rounds: number
}

export type Report = {
  readonly wrong: readonly string[]
  readonly operations: number
  /** How often each code was the answer. */
  readonly answers: ReadonlyMap<string, number>
  /** Lines for people. */
  readonly lines: readonly string[]
}

/** Runs clients against platforms, and the model against what they were told. */
export async function runLedgerModel(t: Ending, options: RunOptions): Promise<Report> {
  const watch = stopwatch()
  const platforms = await startPlatforms(t, options.databaseUrl, options.platforms)
  await openAccounts(platforms)
  const startMs = watch()
  const calls = await runClients(platforms, options)
  const loadMs = watch()
  await settle(platforms.read)
  const batches = await readTopic(platforms.read, calls)
  const settleMs = watch()
  const { wrong, books, within } = judge(accountsOfModel(), batches, calls)
  const judgeMs = watch()
  const more =
    wrong.length > 0
      ? []
      : [
          ...(await compareNow(platforms, books)),
          ...(await compareInstants(platforms, accountsOfModel(), batches, options)),
        ]
  const answers = countAnswers(calls)
  const operations = calls.reduce((sum, { asked }) => sum + asked.commands.length, 0)
  return {
    wrong: [...wrong, ...more],
    operations,
    answers,
    lines: [
      `seed=${options.seed}: ${operations} operations in ${calls.length} requests of ${options.clients} clients, ${batches.length} transactions`,
      [...answers]
        .sort(([, a], [, b]) => b - a)
        .map(([code, count]) => `${code} ${count}`)
        .join(', '),
      `seconds: start ${startMs}, load ${loadMs}, settle ${settleMs}, model ${judgeMs}, instants ${watch()}; ${within} answers from within a transaction`,
    ],
  }
}

function stopwatch(): () => string {
  let before = systemClock.monotonicMs()
  return () => {
    const now = systemClock.monotonicMs()
    const seconds = ((now - before) / 1_000).toFixed(1)
    before = now
    return seconds
  }
}

function countAnswers(calls: readonly Call[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const answer of calls.flatMap(({ answers }) => answers)) {
    const code = isRefusal(answer) || !('isRepeated' in answer) || !answer.isRepeated ? answer.code : 'repeated'
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  return counts
}

/** What every account has available when all is over. */
async function compareNow(platforms: Platforms, books: Books): Promise<string[]> {
  const wrong: string[] = []
  for (const account of books.accounts.values()) {
    if (!account.isGuarded) continue
    const [answer] = await send(
      platforms,
      platforms.urls[0] ?? '',
      { commands: [{ kind: 'look', account: account.name }] },
      'f'.repeat(32),
    )
    const told = answer && 'lines' in answer ? answer.lines : []
    for (const currency of books.currenciesOf(account.name)) {
      const amounts = books.amounts(account.name, currency)
      const available = `${availableOf(account, amounts)}`
      const said = told.find((line) => line.currency === currency)?.amount ?? '0'
      if (said !== available) wrong.push(`${account.name} has ${said} ${currency} available, by the model ${available}`)
      if (account.floor !== undefined && BigInt(available) < account.floor)
        wrong.push(`${account.name} is below its floor`)
    }
  }
  return wrong
}
