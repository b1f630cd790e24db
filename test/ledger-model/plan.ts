import type { Asked, Command, EntryBody, Transfer } from './call.ts'
import type { Chance } from './chance.ts'
import { CURRENCIES, settings } from './world.ts'

/** What clients remember of each other: that something was asked for, not that it was answered; but for `taken`. */
export type Remembered = {
  readonly entries: string[]
  readonly holds: string[]
  readonly calls: Asked[]
  /** Ids under which entries have been booked. */
  readonly taken: string[]
}

const DAY_MS = 24 * 3_600_000
const DAYS = 6
const REMEMBERED_MAX = 400
/** More would hardly ever be booked. */
const LINKED_MAX = 6

const names = settings.map(({ id }) => id)
const ofEuro = settings.filter(({ currency }) => currency === 'EUR').map(({ id }) => id)
const purses = names.filter((name) => name.startsWith('purse:'))
const guarded = settings.filter(({ floor, guarded: is }) => floor !== undefined || is).map(({ id }) => id)

export type Planner = { next(nowMs: number): Asked }

/** What one client asks for next, by its own chance and what all have asked for. */
export function planner(client: string, chance: Chance, remembered: Remembered, bulkMax: number): Planner {
  let count = 0
  const newId = (): string => `${client}-${++count}`
  const about = (nowMs: number) => ({ chance, newId, nowMs, remembered, bulkMax })
  return {
    next(nowMs) {
      const asked = chance.of(plans)(about(nowMs))
      remember(remembered, asked)
      return asked
    },
  }
}

type About = { chance: Chance; newId: () => string; nowMs: number; remembered: Remembered; bulkMax: number }

type Plan = (about: About) => Asked

/** As often as it stands here. */
const plans: readonly Plan[] = [
  ...times<Plan>(18, (about) => one(entry(about, [topUp(about)]))),
  ...times<Plan>(20, (about) => one(entry(about, [payment(about)]))),
  ...times<Plan>(6, (about) => one(entry(about, [payment(about), payment(about), topUp(about)]))),
  ...times<Plan>(8, (about) => one(entry(about, [{ ...payment(about), amount: 1_000, sweep: true }]))),
  ...times<Plan>(10, (about) =>
    one({ kind: 'entry', body: { ...bodyOf(about, [payment(about)]), conditions: conditions(about) } }),
  ),
  ...times<Plan>(4, (about) => one(entry(about, [inAnotherCurrency(about)]))),
  ...times<Plan>(6, (about) => one(conversion(about))),
  ...times<Plan>(14, hold),
  ...times<Plan>(8, postHold),
  ...times<Plan>(6, voidHold),
  ...times<Plan>(6, (about) => one(reversal(about))),
  ...times<Plan>(6, bulk),
  ...times<Plan>(5, (about) => ({ ...one(entry(about, [payment(about)])), isDryRun: true })),
  ...times<Plan>(5, again),
  ...times<Plan>(4, mistaken),
  ...times<Plan>(12, ({ chance }) => one({ kind: 'look', account: chance.of(guarded) })),
  ...times<Plan>(3, (about) => one(accountChange(about))),
  (about) => one(period(about)),
]

function times<Item>(count: number, item: Item): Item[] {
  return Array.from({ length: count }, () => item)
}

function one(command: Command): Asked {
  return { commands: [command] }
}

function remember({ entries, holds, calls, taken }: Remembered, asked: Asked): void {
  for (const command of asked.commands) {
    if (command.kind === 'entry' || command.kind === 'conversion' || command.kind === 'hold_post')
      entries.push(command.body.id)
    if (command.kind === 'hold') holds.push(command.body.id)
  }
  const [first] = asked.commands
  const isRepeatable = first && 'body' in first && 'id' in first.body && !('expires_at' in first.body)
  if (isRepeatable && !asked.isDryRun) calls.push(asked)
  for (const list of [entries, holds, calls, taken])
    if (list.length > REMEMBERED_MAX) list.splice(0, REMEMBERED_MAX / 2)
}

function entry(about: About, transfers: Transfer[]): Command {
  return { kind: 'entry', body: bodyOf(about, transfers) }
}

function bodyOf(about: About, transfers: Transfer[]): EntryBody {
  return { id: about.newId(), transfers, ...effective(about) }
}

/** One in three is of earlier, often of the very edge of a day. */
function effective({ chance, nowMs }: About): { effective_at?: string } {
  if (!chance.isOnce(3)) return {}
  const midnight = nowMs - (nowMs % DAY_MS) - chance.below(DAYS) * DAY_MS
  const at = chance.isOnce(3) ? midnight - chance.below(2) : nowMs - 1_000 - chance.below(DAYS * DAY_MS)
  return { effective_at: new Date(at).toISOString() }
}

function topUp({ chance }: About): Transfer {
  return { debit: 'cash', credit: chance.of(ofEuro), amount: 1 + chance.below(400), currency: 'EUR' }
}

function payment({ chance }: About): Transfer {
  const debit = chance.of(ofEuro)
  const credit = chance.isOnce(3)
    ? chance.of(['cash', 'fees', 'reserve'])
    : chance.of(ofEuro.filter((name) => name !== debit))
  return { debit, credit, amount: 1 + chance.below(300), currency: 'EUR' }
}

function inAnotherCurrency({ chance }: About): Transfer {
  const currency = chance.of(CURRENCIES)
  const purse = chance.of(purses)
  const [debit, credit] = chance.isOnce(2) ? ['cash', purse] : [purse, 'fees']
  return { debit, credit, amount: 1 + chance.below(500), currency }
}

function conditions({ chance }: About): EntryBody['conditions'] & object {
  return times(1 + chance.below(2), 0).map(() => {
    const limit = chance.below(600)
    const about = { account: chance.of(guarded), currency: 'EUR' }
    if (chance.isOnce(3)) return { ...about, at_most: limit }
    return chance.isOnce(3) ? { ...about, at_least: limit - 300, at_most: limit } : { ...about, at_least: limit - 300 }
  })
}

function conversion(about: About): Command {
  const { chance } = about
  const currency = chance.of(CURRENCIES)
  const to_currency = chance.of(CURRENCIES.filter((other) => other !== currency))
  const [debit, credit] = chance.isOnce(2) ? [chance.of(purses), chance.of(purses)] : ['cash', chance.of(purses)]
  const rate = `${1 + chance.below(90)}.${1 + chance.below(9_999)}`
  const amount = 500 + chance.below(5_000)
  const given = chance.isOnce(2) ? { amount } : { to_amount: amount * 100 }
  return {
    kind: 'conversion',
    body: { id: about.newId(), debit, credit, currency, to_currency, rate, ...given, ...effective(about) },
  }
}

function hold(about: About): Asked {
  const { chance, nowMs } = about
  const sweep = chance.isOnce(4) ? { sweep: true } : {}
  const isSoonOver = chance.isOnce(8)
  const expires = isSoonOver ? { expires_at: new Date(nowMs + 1_000 + chance.below(2_000)).toISOString() } : {}
  const also = chance.isOnce(5) ? { conditions: conditions(about) } : {}
  return one({ kind: 'hold', body: { id: about.newId(), ...payment(about), ...sweep, ...expires, ...also } })
}

/** Usually one that has just been asked for, maybe not placed yet. */
function someHold({ chance, remembered: { holds } }: About): string {
  return chance.isOnce(3) ? (holds.at(-1) ?? 'none') : (chance.of([...holds.slice(-40), 'none']) ?? 'none')
}

function postHold(about: About): Asked {
  const { chance, remembered } = about
  const amount = chance.isOnce(2) ? { amount: 1 + chance.below(200) } : {}
  // Now and then under an id that is taken.
  const id = chance.isOnce(25) ? chance.of([...remembered.taken.slice(-20), about.newId()]) : about.newId()
  return one({ kind: 'hold_post', hold: someHold(about), body: { id, ...amount, ...effective(about) } })
}

function voidHold(about: About): Asked {
  return one({ kind: 'hold_void', hold: someHold(about), body: { id: about.newId() } })
}

function reversal(about: About): Command {
  const {
    chance,
    remembered: { entries },
  } = about
  const entry = chance.isOnce(3) ? (entries.at(-1) ?? 'none') : chance.of([...entries.slice(-60), 'none'])
  return { kind: 'entry', body: { id: about.newId(), reverses: `entry/${entry}`, ...effective(about) } }
}

function bulk(about: About): Asked {
  const isLinked = about.chance.isOnce(3)
  const commands = times(2 + about.chance.below(isLinked ? LINKED_MAX : about.bulkMax), 0).map(() =>
    about.chance.isOnce(12) ? reversal(about) : entry(about, [about.chance.isOnce(2) ? topUp(about) : payment(about)]),
  )
  return { commands, isBulk: true, isLinked }
}

function again(about: About): Asked {
  const { chance, remembered } = about
  const before = remembered.calls.length === 0 ? bulk(about) : chance.of(remembered.calls.slice(-50))
  const [command] = before.commands
  if (!chance.isOnce(4) || command?.kind !== 'entry' || before.isBulk || command.body.reverses) return before
  return one({ ...command, body: { ...command.body, purpose: 'other' } })
}

function mistaken(about: About): Asked {
  const { chance } = about
  const good = payment(about)
  const isSkewed = chance.isOnce(3)
  const postings = [{ account: 'cash', amount: 5 + chance.below(5), currency: 'EUR' }]
  if (isSkewed) return one({ kind: 'entry', body: { ...bodyOf(about, [good]), postings } })
  const wrong = chance.isOnce(2) ? { credit: 'nobody' } : { currency: 'USD' }
  return one(entry(about, [{ ...good, ...wrong }]))
}

function accountChange({ chance }: About): Command {
  const account = chance.of([...ofEuro, ...ofEuro.filter((name) => name.startsWith('loose:')), 'nobody'])
  const isLoose = account.startsWith('loose:')
  if (isLoose && chance.isOnce(3))
    return { kind: 'account_change', account, body: { floor: null, ceiling: null, guarded: false } }
  if (isLoose || chance.isOnce(3)) {
    const floor = chance.of([null, 0, -100, -500])
    return { kind: 'account_change', account, body: chance.isOnce(6) ? { guarded: false } : { floor } }
  }
  if (chance.isOnce(4))
    return { kind: 'account_change', account, body: { ceiling: chance.of([null, 0, 1_500, 10_000]) } }
  return { kind: 'account_change', account, body: { closed: chance.isOnce(12) } }
}

function period({ chance, nowMs }: About): Command {
  const through = new Date(nowMs - (DAYS - 1) * DAY_MS - chance.below(DAY_MS)).toISOString()
  if (chance.isOnce(2)) return { kind: 'period_close', body: { through } }
  const body = { reason: 'an invoice came late', ...(chance.isOnce(2) ? { through } : {}) }
  return { kind: 'period_reopen', body }
}
