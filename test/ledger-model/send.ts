import type { Answer, Asked, Command } from './call.ts'
import type { Platforms } from './platform.ts'

const TIMEOUT_MS = 60_000

/** Asks one of the platforms over HTTP, and reads what became of each command. */
export async function send(platforms: Platforms, url: string, asked: Asked, traceId: string): Promise<Answer[]> {
  const { method, path, body } = requestOf(asked)
  const { status, body: text } = await platforms.fetch({
    method,
    url: `${url}${path}`,
    headers: {
      authorization: platforms.authorization,
      traceparent: `00-${traceId}-0000000000000001-00`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs: TIMEOUT_MS,
  })
  const told: Told = JSON.parse(text)
  const { results } = told
  if (asked.isBulk && results) return results.map((result) => answerOf(result.refusal ?? result, undefined))
  const answer = answerOf(told, status)
  return asked.commands.map(() => answer)
}

type Told = {
  code?: string
  entry?: string | null
  repeated?: boolean
  debit?: { amount: number }
  credit?: { amount: number }
  settings?: { available: { currency: string; amount: string; held: string }[] }
  results?: (Told & { refusal?: Told })[]
}

/** Of a problem, what says nothing but which one it is. */
const GENERAL = new Set(['type', 'title', 'status', 'detail', 'code', 'traceId'])

function answerOf(told: Told, status: number | undefined): Answer {
  if (told.code !== undefined) {
    const members = Object.entries(told).filter(([name]) => !GENERAL.has(name))
    const about = Object.fromEntries(members.map(([name, value]) => [name, `${value}`]))
    return { code: told.code, members: about, ...(status === undefined ? {} : { status }) }
  }
  if (told.settings) return { code: 'looked', lines: told.settings.available }
  const { entry, repeated = false, debit, credit } = told
  const sides = debit && credit ? { sides: `${debit.amount} ${credit.amount}` } : {}
  return { code: 'done', entry: entry ?? undefined, isRepeated: repeated, ...sides }
}

function requestOf({ commands, isBulk = false, isLinked = false, isDryRun = false }: Asked) {
  const [command] = commands
  const query = isDryRun ? '?dry_run=true' : ''
  if (isBulk || !command) {
    const entries = commands.map((one) => ('body' in one ? one.body : undefined))
    return { method: 'POST', path: `/v1/ledger/entries/bulk${query}`, body: { entries, atomic: isLinked } }
  }
  return { ...addressOf(command, query), ...('body' in command ? { body: command.body } : { body: undefined }) }
}

function addressOf(command: Command, query: string): { method: string; path: string } {
  switch (command.kind) {
    case 'entry':
      return { method: 'POST', path: `/v1/ledger/entries${query}` }
    case 'conversion':
      return { method: 'POST', path: `/v1/ledger/conversions${query}` }
    case 'hold':
      return { method: 'POST', path: '/v1/ledger/holds' }
    case 'hold_post':
      return { method: 'POST', path: `/v1/ledger/holds/${command.hold}/post` }
    case 'hold_void':
      return { method: 'POST', path: `/v1/ledger/holds/${command.hold}/void` }
    case 'account_change':
      return { method: 'PATCH', path: `/v1/accounts/${command.account}` }
    case 'period_close':
      return { method: 'POST', path: '/v1/ledger/period/close' }
    case 'period_reopen':
      return { method: 'POST', path: '/v1/ledger/period/reopen' }
    case 'look':
      return { method: 'GET', path: `/v1/accounts/${command.account}` }
  }
}
