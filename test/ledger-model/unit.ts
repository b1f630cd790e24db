import { differenceOfFacts } from './booked.ts'
import type { Books, Change } from './books.ts'
import { type Answer, type Command, isRefusal, isUnknown } from './call.ts'
import { decide, released, type Verdict } from './decide.ts'
import { type Fact, isExpiry, type Unit } from './topic.ts'

/** Refused for what was not there: what is not there cannot be locked, so it was decided before it came, wherever the rest stands. */
const OF_WHAT_IS_NOT_THERE = new Set(['entry_not_found', 'hold_not_found'])

export function isDecidedElsewhere(answer: Answer): boolean {
  return OF_WHAT_IS_NOT_THERE.has(answer.code)
}

type Applied = { readonly changes: readonly Change[]; undo(): void }

/** Applies a unit to the books if the model decides it as the platform did; else the books are as before and it says why not. */
export function applyUnit(books: Books, unit: Unit): Applied | { readonly reason: string } {
  const { call, facts } = unit
  if (!call) return expire(books, facts)
  const changes: Change[] = []
  const steps: (() => void)[] = []
  const undo = (): void => {
    for (const back of steps.reverse()) back()
  }
  const expected = new Set<Fact>()
  for (const [place, command] of call.asked.commands.entries()) {
    const answer = call.answers[place]
    if (answer && isDecidedElsewhere(answer)) continue
    const own = factsOf(command, facts)
    const verdict = decide(books, command, own[0]?.data.effectiveAt)
    const reason = answer ? differenceIn(command, { verdict, answer, fact: own[0] }) : 'no answer'
    if (reason) {
      undo()
      return { reason: `${command.kind} ${JSON.stringify(command).slice(0, 200)}: ${reason}` }
    }
    for (const fact of verdict.isRepeated ? [] : own) expected.add(fact)
    steps.push(books.apply(verdict.changes))
    changes.push(...verdict.changes)
  }
  if (expected.size === facts.length) return { changes, undo }
  undo()
  return { reason: `the log tells of ${facts.length} facts, and ${expected.size} were asked for` }
}

type Compared = { readonly verdict: Verdict; readonly answer: Answer; readonly fact: Fact | undefined }

function differenceIn(command: Command, { verdict, answer, fact }: Compared): string {
  const said = isUnknown(answer) ? '' : differenceOf(verdict, answer)
  return said || differenceOfFacts(command, verdict, answer, fact)
}

function expire(books: Books, facts: readonly Fact[]): Applied | { readonly reason: string } {
  const [fact] = facts
  if (!fact || !isExpiry(fact)) return { reason: `nobody asked for ${fact?.type}` }
  const hold = books.hold(fact.data.hold ?? '')
  if (hold?.state !== 'held') return { reason: `hold ${fact.data.hold} was over, and is over again` }
  if (hold.expiresAt === undefined || fact.time < hold.expiresAt) return { reason: `hold ${hold.id} was over too soon` }
  const changes = released({ ...hold, state: 'expired' })
  return { changes, undo: books.apply(changes) }
}

/** Of an entry the one that books it comes first. */
function factsOf(command: Command, facts: readonly Fact[]): Fact[] {
  switch (command.kind) {
    case 'entry':
    case 'conversion':
      return facts.filter(({ data }) => data.source === `entry/${command.body.id}`)
    case 'hold':
      return facts.filter(({ type, data }) => type === 'ledger.hold_placed' && data.hold === command.body.id)
    case 'hold_post':
    case 'hold_void':
      return facts.filter(({ data }) => data.hold === command.hold).sort((a, b) => (a.type < b.type ? -1 : 1))
    default:
      return [...facts]
  }
}

const CODES_OF_409 = new Set(['id_reused', 'entry_reversed', 'hold_ended', 'condition_failed', 'linked_refused'])
const CODES_OF_404 = new Set(['entry_not_found', 'hold_not_found', 'account_not_found'])

function statusOf(code: string): number {
  if (CODES_OF_409.has(code)) return 409
  return CODES_OF_404.has(code) ? 404 : 422
}

/** Empty where the answer is exactly what the model says. */
export function differenceOf(verdict: Verdict, answer: Answer, isDryRun = false): string {
  const said = `the platform says ${JSON.stringify(answer)}, the model ${verdict.code} ${JSON.stringify(verdict.members)}`
  if (verdict.code !== answer.code) return said
  if (isRefusal(answer)) {
    const isSame = sorted(verdict.members) === sorted(answer.members)
    return isSame && (answer.status ?? statusOf(answer.code)) === statusOf(answer.code) ? '' : said
  }
  return 'isRepeated' in answer && !isDryRun && answer.isRepeated !== verdict.isRepeated ? said : ''
}

function sorted(members: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)))
}
