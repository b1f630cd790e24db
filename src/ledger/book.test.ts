import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Account, availableOf, balanceOf } from './account.ts'
import { Book } from './book.ts'
import type { Command, Outcome, Transfer } from './command.ts'
import { decide, decideLinked } from './decide.ts'

const names = ['cash', 'ada', 'bob', 'fees'] as const
const accounts: readonly Account[] = [
  account('cash', { type: 'asset', normalSide: 'debit' }),
  account('ada', { floor: 0n, isGuarded: true }),
  account('bob', { floor: -50n, ceiling: 500n, isGuarded: true }),
  account('fees', { type: 'income', isGuarded: true }),
]
const nameEntry = (source: string): string => `ent_${source}`

test('no sequence of commands takes a guarded account past its limits, or its guard away from its entries and holds', () => {
  fc.assert(
    fc.property(fc.array(anyCommand(), { maxLength: 60 }), (commands) => {
      const book = newBook()
      const posted = new Map<string, bigint>()
      const held = new Map<string, Transfer>()
      for (const [n, command] of commands.entries()) {
        const { entries: written, ...rest } = book.changes()
        const before = { entries: [...written], ...rest }
        const outcome = decide(book, { ...command, id: `${command.id}-${n % 40}` }, nameEntry)
        const { entries } = book.changes()
        if (outcome.status === 'refused') assert.deepEqual(book.changes(), before)
        for (const { postings } of entries.slice(before.entries.length)) {
          for (const { account: name, amount } of postings) posted.set(name, (posted.get(name) ?? 0n) + amount)
        }
        held.clear()
        for (const hold of book.changes().holds) if (hold.state === 'held') held.set(hold.id, hold.transfer)
        checkGuards(book, posted, [...held.values()])
      }
      assert.equal(
        [...posted.values()].reduce((sum, amount) => sum + amount, 0n),
        0n,
      )
    }),
  )
})

test('the same command twice is done once, and another under its id is refused', () => {
  const book = newBook()
  const command = entry('e1', [{ debit: 'cash', credit: 'ada', amount: 100n, currency: 'EUR' }])
  assert.deepEqual(decide(book, command, nameEntry), done('e1', 'ent_entry/e1', false))
  assert.deepEqual(decide(book, command, nameEntry), done('e1', 'ent_entry/e1', true))
  assert.deepEqual(
    decide(book, { ...command, fingerprint: 'other' }, nameEntry),
    refused({ code: 'id_reused', id: 'e1' }),
  )
  assert.equal(book.changes().entries.length, 1)
})

test('a refusal says what there is and what would be needed', () => {
  const book = newBook()
  decide(book, entry('in', [{ debit: 'cash', credit: 'ada', amount: 100n, currency: 'EUR' }]), nameEntry)
  decide(book, hold('h1', { debit: 'ada', credit: 'fees', amount: 70n, currency: 'EUR' }), nameEntry)
  const out = entry('out', [{ debit: 'ada', credit: 'cash', amount: 31n, currency: 'EUR' }])
  const short = { code: 'insufficient_funds', account: 'ada', currency: 'EUR', available: 30n, needed: 31n } as const
  assert.deepEqual(decide(book, out, nameEntry), refused(short))
  const skewed = { ...out, id: 'skewed', transfers: [], postings: [{ account: 'cash', amount: 5n, currency: 'EUR' }] }
  assert.deepEqual(decide(book, skewed, nameEntry), refused({ code: 'unbalanced', currency: 'EUR', difference: 5n }))
})

test('a sweep takes what there is, and linked commands are all done or none', () => {
  const book = newBook()
  decide(book, entry('in', [{ debit: 'cash', credit: 'ada', amount: 100n, currency: 'EUR' }]), nameEntry)
  const sweep = { debit: 'ada', credit: 'cash', amount: 250n, currency: 'EUR', isSweep: true }
  const linked = [entry('all', [sweep]), entry('more', [{ ...sweep, amount: 1n, isSweep: false }])]
  assert.deepEqual(
    decideLinked(book, linked, nameEntry).map((outcome) => outcome.status === 'refused' && outcome.refusal.code),
    ['linked_refused', 'insufficient_funds'],
  )
  assert.equal(book.guard('ada', 'EUR').posted, -100n)
  assert.equal(decide(book, entry('all', [sweep]), nameEntry).status, 'done')
  assert.equal(book.guard('ada', 'EUR').posted, 0n)
})

test('a hold can be posted once, in part, whatever has become of the limits since', () => {
  const book = newBook()
  decide(book, entry('in', [{ debit: 'cash', credit: 'ada', amount: 100n, currency: 'EUR' }]), nameEntry)
  decide(book, hold('h1', { debit: 'ada', credit: 'cash', amount: 100n, currency: 'EUR' }), nameEntry)
  const over = { kind: 'hold_post', id: 'p1', fingerprint: 'p1', hold: 'h1', amount: 101n, effectiveAt: 1 } as const
  assert.deepEqual(
    decide(book, over, nameEntry),
    refused({ code: 'hold_exceeded', id: 'h1', available: 100n, needed: 101n }),
  )
  assert.equal(decide(book, { ...over, amount: 60n }, nameEntry).status, 'done')
  assert.deepEqual(
    decide(book, { ...over, id: 'p2', amount: 1n }, nameEntry),
    refused({ code: 'hold_ended', id: 'h1', state: 'posted' }),
  )
  assert.deepEqual([book.guard('ada', 'EUR').posted, book.guard('ada', 'EUR').heldDebit], [-40n, 0n])
})

test('an entry is reversed once, by its opposite', () => {
  const book = newBook()
  decide(book, entry('in', [{ debit: 'cash', credit: 'ada', amount: 100n, currency: 'EUR' }]), nameEntry)
  const reversal = { kind: 'reversal', id: 'r1', fingerprint: 'r1', entry: 'entry/in', effectiveAt: 1 } as const
  assert.equal(decide(book, reversal, nameEntry).status, 'done')
  assert.deepEqual(
    decide(book, { ...reversal, id: 'r2' }, nameEntry),
    refused({ code: 'entry_reversed', id: 'entry/in' }),
  )
  assert.equal(book.guard('ada', 'EUR').posted, 0n)
})

function checkGuards(book: Book, posted: ReadonlyMap<string, bigint>, held: readonly Transfer[]): void {
  for (const one of accounts.filter(({ isGuarded }) => isGuarded)) {
    const guard = book.guard(one.account, 'EUR')
    const sum = (side: 'debit' | 'credit'): bigint =>
      held.filter((transfer) => transfer[side] === one.account).reduce((total, { amount }) => total + amount, 0n)
    assert.deepEqual(
      [guard.posted, guard.heldDebit, guard.heldCredit],
      [posted.get(one.account) ?? 0n, sum('debit'), sum('credit')],
    )
    if (one.floor !== undefined) assert.ok(availableOf(one, guard) >= one.floor, one.account)
    if (one.ceiling !== undefined) assert.ok(balanceOf(one, guard) <= one.ceiling, one.account)
  }
}

function anyCommand(): fc.Arbitrary<Command> {
  const any = fc.record({
    debit: fc.constantFrom(...names),
    credit: fc.constantFrom(...names),
    amount: fc.bigInt({ min: 1n, max: 300n }),
    currency: fc.constant('EUR'),
    isSweep: fc.boolean(),
  })
  const transfer = any.filter(({ debit, credit }) => debit !== credit)
  const id = fc.constantFrom('a', 'b', 'c')
  const ref = fc.tuple(id, fc.nat({ max: 39 })).map(([name, n]) => `${name}-${n}`)
  const effectiveAt = fc.constant(1)
  return fc.oneof(
    fc.record({ id, transfers: fc.array(transfer, { minLength: 1, maxLength: 3 }) }).map(({ id: name, transfers }) => ({
      ...entry(name, transfers),
    })),
    fc.record({ id, transfer }).map(({ id: name, transfer: one }) => hold(name, one)),
    fc
      .record({ id, hold: ref, amount: fc.option(fc.bigInt({ min: 1n, max: 300n }), { nil: undefined }), effectiveAt })
      .map((given) => ({ kind: 'hold_post' as const, fingerprint: 'post', ...given })),
    fc.record({ id, hold: ref }).map((given) => ({
      kind: 'hold_void' as const,
      fingerprint: 'void',
      isExpiry: false,
      ...given,
    })),
    fc
      .record({ id, entry: ref.map((name) => `entry/${name}`), effectiveAt })
      .map((given) => ({ kind: 'reversal' as const, fingerprint: 'reversal', ...given })),
  )
}

function newBook(): Book {
  return new Book({
    closedThrough: Number.NEGATIVE_INFINITY,
    accounts: new Map(accounts.map((one) => [one.account, one])),
  })
}

function account(name: string, about: Partial<Account>): Account {
  const open = { type: 'liability', normalSide: 'credit', isGuarded: false, isClosed: false } as const
  return {
    ...open,
    account: name,
    currency: undefined,
    parent: undefined,
    floor: undefined,
    ceiling: undefined,
    ...about,
  }
}

function entry(id: string, transfers: readonly Transfer[]) {
  const about = {
    purpose: 'transfer',
    postings: [],
    conditions: [],
    effectiveAt: 1,
    fingerprint: JSON.stringify(transfers, text),
  }
  return { kind: 'entry' as const, id, transfers, ...about }
}

function hold(id: string, transfer: Transfer) {
  const about = { purpose: 'hold', conditions: [], expiresAt: undefined, fingerprint: JSON.stringify(transfer, text) }
  return { kind: 'hold' as const, id, transfer, ...about }
}

function text(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}

function done(id: string, entryName: string | undefined, isRepeated: boolean): Outcome {
  return { status: 'done', id, entry: entryName, isRepeated }
}

function refused(refusal: Extract<Outcome, { status: 'refused' }>['refusal']): Outcome {
  return { status: 'refused', refusal }
}
