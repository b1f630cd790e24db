import { isDeepStrictEqual } from 'node:util'
import type { Database, Tx } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { type Seal, storeKeys } from '#kernel/seal'
import { factsTransaction, type NewEvent, roleOf, type Wakeups } from '#log'
import { type Account, availableOf, expectedOf, type Guard } from './account.ts'
import * as sql from './account-sql.ts'
import { accountKind } from './accounts.ts'
import type { Whose } from './book-sql.ts'
import { accountChanged, accountOpened } from './events.ts'
import { type Asked, newEvent } from './facts.ts'

/** What an account is opened with. */
export type AccountSettings = Pick<Account, 'account' | 'type'> &
  Partial<Pick<Account, 'normalSide' | 'currency' | 'parent' | 'floor' | 'ceiling' | 'isGuarded'>> & {
    readonly metadata?: Metadata
  }
type Metadata = Readonly<Record<string, string>>

/** Absent: as it is. Null: none any more. */
export type AccountPatch = {
  readonly floor?: bigint | null
  readonly ceiling?: bigint | null
  readonly isGuarded?: boolean
  readonly isClosed?: boolean
  readonly metadata?: Metadata | null
}

export type AccountAdmin = {
  /** Opened twice with the same settings, it is one. @throws Refusal `account_exists` or `account_kind_invalid`. */
  open(whose: Whose, settings: AccountSettings, asked: Asked): Promise<AccountSettingsView>
  /** All of them, or none; those that are open with the same settings stay as they are. @throws Refusal as `open`. */
  openAll(whose: Whose, settings: readonly AccountSettings[], asked: Asked): Promise<AccountSettingsView[]>
  /** @throws Refusal `account_not_found` or `limit_invalid`. */
  change(whose: Whose, account: string, patch: AccountPatch, asked: Asked): Promise<AccountSettingsView>
  /** Undefined for an account that nobody opened. */
  find(whose: Whose, account: string): Promise<AccountSettingsView | undefined>
}

/** An account's settings, and what a guarded one has available. */
export type AccountSettingsView = Account & {
  readonly openedAt: Date
  readonly closedAt: Date | undefined
  readonly metadata: Metadata | undefined
  /** On its normal side, in minor units; none of an account that is not guarded. */
  readonly available: readonly { readonly currency: string; readonly amount: bigint; readonly held: bigint }[]
}

/**
 * Opens, changes and closes accounts. What is booked meanwhile waits, for as long as one of these takes: an account that
 * becomes guarded has all that was ever booked on it counted once.
 */
export function createAccountAdmin(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly random: Random
  readonly seal: Seal
}): AccountAdmin {
  const { work, read, wakeups, random, seal } = ports

  /** All of them, or none. */
  const write = async (whose: Whose, asked: Asked, wishes: readonly Wish[]): Promise<AccountSettingsView[]> => {
    await factsTransaction(work, async (tx) => {
      await sql.lockAccounts(tx)
      const names = wishes.map(({ name }) => name)
      const found = new Map((await sql.findAccounts(tx, whose, names)).map((row) => [row.account, row]))
      const decided: Decided[] = []
      for (const { name, decideOn } of wishes) {
        const before = found.get(name)
        const { account, metadata, of } = decideOn(before)
        if (of === undefined) continue
        const details = metadata === undefined ? (before?.details ?? null) : await sealed(tx, whose, name, metadata)
        decided.push({ before, account, details, of })
      }
      if (decided.length > 0) await tx.become(roleOf('ledger'))
      for (const one of decided) await writeOne(tx, whose, one)
      return {
        result: undefined,
        facts: decided.map(({ of, account }) => changeFact(whose, of, account, asked, random)),
      }
    })
    wakeups.wake([accountOpened.topic])
    return Promise.all(
      wishes.map(async ({ name }) => {
        const view = await find(whose, name)
        if (!view) throw new Refusal('account_not_found', { field: 'id' })
        return view
      }),
    )
  }

  const writeOne = async (tx: Tx, whose: Whose, { before, account, details }: Decided): Promise<void> => {
    const { account: name, isGuarded } = account
    if (!before) await checkCurrency(tx, whose, account)
    await sql.writeAccount(tx, whose, account, details)
    if (isGuarded && !before?.is_guarded) await sql.guardAccount(tx, whose, name)
    if (!isGuarded && before?.is_guarded) await sql.unguardAccount(tx, whose, name)
    await checkLimits(tx, whose, account)
  }

  const writeThe = async (whose: Whose, asked: Asked, wish: Wish): Promise<AccountSettingsView> => {
    const [view] = await write(whose, asked, [wish])
    invariant(view, 'each wish has a view')
    return view
  }

  const sealed = async (tx: Tx, { tenant, mode }: Whose, name: string, metadata: Metadata | null) => {
    if (metadata === null) return null
    const key = seal.dataKey({ tenant, subject: `account:${seal.digest('account', tenant, mode, name)}` })
    await storeKeys(tx, [key])
    return seal.seal(key, JSON.stringify(metadata), contextOf(tenant))
  }

  const find = async (whose: Whose, name: string): Promise<AccountSettingsView | undefined> => {
    const [row] = await sql.findAccounts(read, whose, [name])
    if (!row) return undefined
    const account = accountIn(row)
    const guards = await sql.guardsOf(read, whose, [name])
    const [metadata] = row.details === null ? [] : await seal.open([row.details], contextOf(whose.tenant))
    return {
      ...account,
      openedAt: row.opened_at,
      closedAt: row.closed_at ?? undefined,
      metadata: metadata && JSON.parse(metadata.toString('utf8')),
      available: guards.map(guardIn).map((guard) => ({
        currency: guard.currency,
        amount: availableOf(account, guard),
        held: guard.heldDebit + guard.heldCredit,
      })),
    }
  }

  return {
    find,
    open: (whose, settings, asked) => writeThe(whose, asked, opening(settings)),
    openAll: (whose, settings, asked) => write(whose, asked, settings.map(opening)),
    change: (whose, name, patch, asked) =>
      writeThe(whose, asked, {
        name,
        decideOn(before) {
          if (!before) throw new Refusal('account_not_found', { field: 'id' })
          return { account: patched(accountIn(before), patch), metadata: patch.metadata, of: accountChanged }
        },
      }),
  }
}

/** What is to become of an account, by what it is when everybody else waits. */
type Wish = { readonly name: string; decideOn(before: sql.AccountRow | undefined): Change }

type Decided = {
  readonly before: sql.AccountRow | undefined
  readonly account: Account
  /** Sealed. */
  readonly details: string | null
  readonly of: AccountFact
}

function opening(settings: AccountSettings): Wish {
  return {
    name: settings.account,
    decideOn(before) {
      const account = accountOf(settings)
      if (!before) return { account, metadata: settings.metadata ?? null, of: accountOpened }
      if (isDeepStrictEqual(accountIn(before), account)) return { account, metadata: undefined, of: undefined }
      const detail = `${settings.account} is open with other settings`
      throw new Refusal('account_exists', { field: 'id', detail })
    },
  }
}

/** `metadata` is left as it is when undefined; without `of` nothing is to be done. */
type Change = {
  readonly account: Account
  readonly metadata: Metadata | null | undefined
  readonly of: AccountFact | undefined
}

function contextOf(tenant: string): string {
  return `${tenant}/ledger.account/metadata`
}

type AccountFact = typeof accountOpened | typeof accountChanged

const debitTypes: readonly Account['type'][] = ['asset', 'expense']

/** @throws Refusal `account_kind_invalid` or `limit_invalid`. */
export function accountOf(settings: AccountSettings): Account {
  const { account, type, currency, parent, floor, ceiling } = settings
  const normalSide = settings.normalSide ?? (debitTypes.includes(type) ? 'debit' : 'credit')
  const isGuarded = settings.isGuarded ?? (floor !== undefined || ceiling !== undefined)
  const opened = { account, type, normalSide, currency, parent, floor, ceiling, isGuarded, isClosed: false }
  const kind = accountKind(account)
  if (kind && (kind.type !== type || kind.normalSide !== normalSide)) {
    const detail = `${account} is an account of payments: its type is ${kind.type}, and it grows by ${kind.normalSide}s`
    throw new Refusal('account_kind_invalid', { field: 'type', detail })
  }
  return checked(opened)
}

function checked(account: Account): Account {
  const { floor, ceiling, isGuarded } = account
  if (!isGuarded && (floor !== undefined || ceiling !== undefined)) {
    throw new Refusal('limit_invalid', { field: 'guarded', detail: 'guarded must be true where there is a limit' })
  }
  if (floor !== undefined && ceiling !== undefined && floor > ceiling) {
    throw new Refusal('limit_invalid', { field: 'floor', detail: 'floor must not be above ceiling' })
  }
  return account
}

function accountIn(row: sql.AccountRow): Account {
  return {
    account: row.account,
    type: row.type,
    normalSide: row.normal_side,
    currency: row.currency ?? undefined,
    parent: row.parent ?? undefined,
    floor: row.floor === null ? undefined : BigInt(row.floor),
    ceiling: row.ceiling === null ? undefined : BigInt(row.ceiling),
    isGuarded: row.is_guarded,
    isClosed: row.closed_at !== null,
  }
}

function guardIn(row: sql.GuardRow): Guard {
  const { account, currency } = row
  const [posted, heldDebit, heldCredit] = [BigInt(row.posted), BigInt(row.held_debit), BigInt(row.held_credit)]
  return { account, currency, posted, heldDebit, heldCredit }
}

function patched(was: Account, patch: AccountPatch): Account {
  const floor = patch.floor === undefined ? was.floor : (patch.floor ?? undefined)
  const ceiling = patch.ceiling === undefined ? was.ceiling : (patch.ceiling ?? undefined)
  const hasLimit = floor !== undefined || ceiling !== undefined
  const isGuarded = patch.isGuarded ?? (was.isGuarded || hasLimit)
  return checked({ ...was, floor, ceiling, isGuarded, isClosed: patch.isClosed ?? was.isClosed })
}

async function checkCurrency(tx: Tx, whose: Whose, { account, currency }: Account): Promise<void> {
  if (currency === undefined || !(await sql.isBookedOn(tx, whose, account, currency))) return
  const detail = `${account} has postings in another currency than ${currency}`
  throw new Refusal('account_kind_invalid', { field: 'currency', detail })
}

/** A limit that the account is past already would be none. */
async function checkLimits(tx: Tx, whose: Whose, account: Account): Promise<void> {
  if (account.floor === undefined && account.ceiling === undefined) return
  for (const row of await sql.guardsOf(tx, whose, [account.account])) {
    const guard = guardIn(row)
    const available = availableOf(account, guard)
    if (account.floor !== undefined && available < account.floor) {
      const detail = `${account.account} has ${available} ${row.currency} available, less than the floor`
      throw new Refusal('limit_invalid', { field: 'floor', detail })
    }
    const expected = expectedOf(account, guard)
    if (account.ceiling !== undefined && expected > account.ceiling) {
      const detail = `${account.account} has or expects ${expected} ${row.currency}, more than the ceiling`
      throw new Refusal('limit_invalid', { field: 'ceiling', detail })
    }
  }
}

function changeFact(whose: Whose, of: AccountFact, account: Account, asked: Asked, random: Random): NewEvent {
  const name = random.bytes(16).toString('hex')
  return newEvent(whose, of, { key: `account/${account.account}`, name }, factData(account), asked)
}

function factData({ account, type, normalSide, currency, parent, floor, ceiling, isGuarded, isClosed }: Account) {
  return {
    account,
    type,
    normalSide,
    ...(currency === undefined ? {} : { currency }),
    ...(parent === undefined ? {} : { parent }),
    ...(floor === undefined ? {} : { floor: `${floor}` }),
    ...(ceiling === undefined ? {} : { ceiling: `${ceiling}` }),
    isGuarded,
    isClosed,
  }
}
