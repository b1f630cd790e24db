import { type Account, availableOf, Books } from './books.ts'
import { type Answer, type Asked, type Call, isRefusal, isUnknown, type Line } from './call.ts'
import { decide, type Verdict } from './decide.ts'
import { type Placed, placeUnits } from './order.ts'
import type { Batch } from './topic.ts'
import { dependenciesOf } from './touched.ts'
import { differenceOf, isDecidedElsewhere } from './unit.ts'
import { answersOf, RealTime, type Unwritten } from './windows.ts'
import { choicesOf } from './within.ts'

export type Judgement = {
  /** What the platform did otherwise than the model; empty, or it is wrong. */
  readonly wrong: readonly string[]
  /** As the model has them at the end. */
  readonly books: Books
  /** Answers that were compared within a transaction, in an order of its commands that is not the one found first. */
  readonly within: number
}

/**
 * Has the model do what the platform did, in the order of its log, and compares every answer: of what was written in its
 * place, of what was refused, repeated or read at one of the places where it can stand by real time.
 */
export function judge(accounts: readonly Account[], batches: readonly Batch[], calls: readonly Call[]): Judgement {
  const books = new Books(accounts)
  const placed: (readonly Placed[])[] = []
  for (const { units } of batches) {
    const found = placeUnits(books, units)
    if ('reason' in found) return { wrong: [`transaction ${placed.length}: ${found.reason}`], books, within: 0 }
    placed.push(found)
  }
  const wrong = [...lostAnswers(calls, placed), ...orderOfTime(placed)]
  const unwritten = unwrittenOf(calls, placed, books)
  const left = compare(accounts, placed, unwritten, { isInAnyOrder: false })
  const missing = compare(accounts, placed, left, { isInAnyOrder: true })
  wrong.push(...missing.map((one) => describe(one, books)))
  return { wrong, books, within: left.length - missing.length }
}

/** Answered as done, and not on the log. */
function lostAnswers(calls: readonly Call[], placed: readonly (readonly Placed[])[]): string[] {
  const written = new Set(placed.flat().map(({ unit }) => unit.call))
  return calls
    .filter((call) => !written.has(call) && !call.asked.isDryRun && call.answers.some(isNewlyDone))
    .map((call) => `${name(call)} was answered as done, and the log does not tell of it`)
}

function isNewlyDone(answer: Answer): boolean {
  return 'isRepeated' in answer && !answer.isRepeated
}

/** What was answered before something else was asked comes before it on the log. */
function orderOfTime(placed: readonly (readonly Placed[])[]): string[] {
  const calls = placed.flatMap((units, batch) => units.flatMap(({ unit: { call } }) => (call ? [{ call, batch }] : [])))
  const answered = calls.toSorted((a, b) => a.call.answeredAt - b.call.answeredAt)
  const wrong: string[] = []
  let latest = -1
  let next = 0
  for (const { call, batch } of calls.toSorted((a, b) => a.call.askedAt - b.call.askedAt)) {
    for (let one = answered[next]; one && one.call.answeredAt < call.askedAt; one = answered[++next])
      latest = Math.max(latest, one.batch)
    if (batch <= latest)
      wrong.push(`${name(call)} is on the log before something that was answered before it was asked`)
  }
  return wrong
}

function unwrittenOf(calls: readonly Call[], placed: readonly (readonly Placed[])[], books: Books): Unwritten[] {
  const writes = new Map<string, { batch: number; askedAt: number; answeredAt: number }[]>()
  const written = new Set<Call>()
  for (const [batch, units] of placed.entries()) {
    for (const { unit, touched } of units) {
      if (!unit.call) continue
      written.add(unit.call)
      const { askedAt, answeredAt } = unit.call
      for (const one of touched) listed(writes, one).push({ batch, askedAt, answeredAt })
    }
  }
  const realTime = new RealTime(writes, placed.length)
  return calls.flatMap((call) =>
    placesOf(call, written.has(call)).map((places): Unwritten => {
      const { commands, isDryRun = false } = call.asked
      const dependsOn = places.flatMap((place) => {
        const [command, answer] = [commands[place], call.answers[place]]
        const isApart = places.length > 1 && answer && isDecidedElsewhere(answer)
        return command && answer && !isApart ? dependenciesOf(command, answer, books, isDryRun) : []
      })
      return { call, places, dependsOn, ...realTime.windowOf(dependsOn, call) }
    }),
  )
}

function listed<Item>(lists: Map<string, Item[]>, key: string): Item[] {
  const list = lists.get(key) ?? []
  lists.set(key, list)
  return list
}

/** Places of the commands that are to be compared together. */
function placesOf({ asked, answers }: Call, isWritten: boolean): number[][] {
  const all = [...asked.commands.keys()]
  const isLinked = asked.isLinked === true && !isWritten && !answers.some(isUnknown)
  const singly = all.filter((place) => {
    const answer = answers[place]
    return answer && !isUnknown(answer) && (isDecidedElsewhere(answer) || !(isWritten || isLinked))
  })
  return [...(isLinked ? [all] : []), ...singly.map((place) => [place])]
}

/** Compares where it can; returns what was found nowhere. */
function compare(
  accounts: readonly Account[],
  placed: readonly (readonly Placed[])[],
  unwritten: readonly Unwritten[],
  { isInAnyOrder }: { isInAnyOrder: boolean },
): Unwritten[] {
  const books = new Books(accounts)
  const beginning = Map.groupBy(unwritten, ({ first }) => first)
  const open = new Map<string, Set<Unwritten>>()
  const left = new Set(unwritten)
  const close = (one: Unwritten): void => {
    for (const object of one.dependsOn) open.get(object)?.delete(one)
  }
  const look = (one: Unwritten): void => {
    if (!isSame(books, one)) return
    left.delete(one)
    close(one)
  }
  for (let batch = 0; batch <= placed.length; batch++) {
    for (const one of beginning.get(batch) ?? []) {
      for (const object of one.dependsOn) open.set(object, (open.get(object) ?? new Set()).add(one))
      look(one)
    }
    const units = placed[batch] ?? []
    const touched = new Set(units.flatMap((unit) => unit.touched))
    for (const one of new Set([...touched].flatMap((object) => [...(open.get(object) ?? [])]))) {
      if (one.last <= batch) close(one)
      else if (isInAnyOrder && isSameWithin(books, units, one)) {
        left.delete(one)
        close(one)
      }
    }
    for (const unit of units) {
      books.apply(unit.changes)
      for (const one of new Set(unit.touched.flatMap((object) => [...(open.get(object) ?? [])]))) look(one)
    }
  }
  return [...left]
}

/** Whether some of the units, whichever came first, explain it. */
function isSameWithin(books: Books, units: readonly Placed[], one: Unwritten): boolean {
  for (const changes of choicesOf(units, one)) {
    const undo = books.apply(changes)
    const isFound = isSame(books, one)
    undo()
    if (isFound) return true
  }
  return false
}

function isSame(books: Books, { call, places }: Pick<Unwritten, 'call' | 'places'>): boolean {
  const { asked, answers } = call
  const verdicts = verdictsOf(books, asked, places, answers)
  return verdicts.every((verdict, at) => {
    const [place = 0] = places.slice(at)
    const [command, answer] = [asked.commands[place], answers[place]]
    if (!command || !answer) return false
    if (command.kind === 'look') return isLooked(books, command.account, answer)
    if (isTooLate(answer)) return true
    return differenceOf(verdict, answer, asked.isDryRun) === ''
  })
}

const NOT_DONE = { isRepeated: false, changes: [], legs: undefined }

function verdictsOf(
  books: Books,
  { commands, isLinked }: Asked,
  places: readonly number[],
  answers: readonly Answer[],
): Verdict[] {
  const undo: (() => void)[] = []
  const verdicts = places.flatMap((place) => {
    const command = commands[place]
    if (!command) return []
    const answer = answers[place]
    const isApart = places.length > 1 && answer && isRefusal(answer) && isDecidedElsewhere(answer)
    const verdict = isApart ? { ...NOT_DONE, ...answer } : decide(books, command)
    undo.push(books.apply(verdict.changes))
    return [verdict]
  })
  for (const back of undo.reverse()) back()
  const refused = verdicts.findIndex(({ code }) => code !== 'done')
  const first = commands[places[refused] ?? 0]
  if (!isLinked || refused === -1 || first?.kind !== 'entry') return verdicts
  const { id } = first.body
  return verdicts.map((verdict) =>
    verdict.code === 'done' ? { ...verdict, code: 'linked_refused', members: { id } } : verdict,
  )
}

/** A hold that was under way for so long that its time was over when it came: the model knows no time. */
function isTooLate(answer: Answer): boolean {
  return isRefusal(answer) && answer.code === 'body_invalid' && answer.members.field === 'expires_at'
}

/** An account that is not guarded shows nothing available. */
function isLooked(books: Books, name: string, answer: Answer): boolean {
  const account = books.accounts.get(name)
  if (!account || !('lines' in answer)) return false
  const told = new Map(answer.lines.map((line): [string, Line] => [line.currency, line]))
  if (!account.isGuarded) return told.size === 0
  return books.currenciesOf(name).every((currency) => {
    const amounts = books.amounts(name, currency)
    const { amount, held } = told.get(currency) ?? { amount: '0', held: '0' }
    return amount === `${availableOf(account, amounts)}` && held === `${amounts.heldDebit + amounts.heldCredit}`
  })
}

function describe(one: Unwritten, books: Books): string {
  const { commands } = one.call.asked
  const asked = JSON.stringify(one.places.map((place) => commands[place])).slice(0, 400)
  const said = JSON.stringify(answersOf(one)).slice(0, 400)
  const [verdict] = verdictsOf(books, one.call.asked, one.places, one.call.answers)
  const last = `${verdict?.isRepeated ? 'repeated' : verdict?.code} ${JSON.stringify(verdict?.members)}`
  return `nowhere between transactions ${one.first} and ${one.last} the model answers ${name(one.call)} ${asked} with ${said}; in the end it says ${last}`
}

function name({ client, number }: Call): string {
  return `call ${number} of ${client}`
}
