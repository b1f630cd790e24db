import type { Books, Change } from './books.ts'
import type { Answer, Command, Condition, Posting, Transfer } from './call.ts'

// What is read or written has a name: `amounts wallet:1`, `account wallet:1`, `hold c1-7`, `entry c1-8`, `period`.

/**
 * What changes write that others can see. What is on an account that nobody guards decides nothing, but for who is about to
 * limit it and counts it all: `sums wallet:1`.
 */
export function touchedBy(changes: readonly Change[], books: Books): string[] {
  const seen = changes.filter((change) => change.of !== 'amounts' || books.accounts.get(change.account)?.isGuarded)
  const sums = changes.flatMap((change) => (change.of === 'amounts' ? [`sums ${change.account}`] : []))
  return [...new Set([...seen.map(nameOf), ...sums])]
}

function nameOf(change: Change): string {
  switch (change.of) {
    case 'amounts':
      return `amounts ${change.account}`
    case 'hold':
      return `hold ${change.value.id}`
    case 'entry':
      return `entry ${change.value.id}`
    case 'account':
      return `account ${change.value.name}`
    case 'period':
      return 'period'
  }
}

/**
 * What an answer that changed nothing depends on: of that, and of that alone, it says how it was. `booksAtTheEnd` knows the
 * accounts of entries and holds.
 */
export function dependenciesOf(command: Command, answer: Answer, booksAtTheEnd: Books, isDryRun: boolean): string[] {
  if (command.kind === 'look') return [`amounts ${command.account}`, `account ${command.account}`]
  if (command.kind === 'account_change') return [`sums ${command.account}`, `account ${command.account}`]
  if (command.kind === 'period_close' || command.kind === 'period_reopen') return ['period']
  const own = ownOf(command)
  if (answer.code === 'done' && !isDryRun) return own.slice(0, 1)
  if (['entry_not_found', 'entry_reversed', 'hold_not_found', 'hold_ended', 'hold_exceeded'].includes(answer.code))
    return own.slice(-1)
  if (answer.code === 'id_reused') return own
  if (answer.code === 'period_closed') return [...own, 'period']
  const accounts = accountsOf(command, booksAtTheEnd)
  return [...own, 'period', ...accounts.flatMap((name) => [`account ${name}`, `amounts ${name}`])]
}

/** What it would write under its own id, and last what it is about. */
function ownOf(command: Command): string[] {
  switch (command.kind) {
    case 'hold':
      return [`hold ${command.body.id}`]
    case 'hold_post':
      return [`entry ${command.body.id}`, `hold ${command.hold}`]
    case 'hold_void':
      return [`hold ${command.hold}`]
    case 'entry': {
      const { id, reverses } = command.body
      return [`entry ${id}`, ...(reverses === undefined ? [] : [reverses.replace('/', ' ')])]
    }
    case 'conversion':
      return [`entry ${command.body.id}`]
    default:
      return []
  }
}

function accountsOf(command: Command, books: Books): string[] {
  switch (command.kind) {
    case 'hold':
    case 'conversion':
      return [
        command.body.debit,
        command.body.credit,
        ...('conditions' in command.body ? named(command.body.conditions) : []),
      ]
    case 'hold_post':
    case 'hold_void': {
      const hold = books.hold(command.hold)
      return hold ? [hold.debit, hold.credit] : []
    }
    case 'entry': {
      const { postings = [], transfers = [], conditions = [], reverses = '' } = command.body
      const undone = books.entry(reverses.replace('entry/', ''))?.legs ?? []
      return [...named(postings), ...named(conditions), ...named(undone), ...sidesOf(transfers)]
    }
    default:
      return []
  }
}

function named(items: readonly (Condition | Posting | { account: string })[] = []): string[] {
  return items.map(({ account }) => account)
}

function sidesOf(transfers: readonly Transfer[]): string[] {
  return transfers.flatMap(({ debit, credit }) => [debit, credit])
}
