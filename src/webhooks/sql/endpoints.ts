import { type Database, statement, type Tx } from '#kernel/database'
import type { Mode } from '#kernel/ids'
import type { DisabledReason } from '#webhooks/events'

export type EndpointRow = {
  readonly id: string
  readonly tenant: string
  readonly mode: Mode
  readonly version: string
  readonly patterns: readonly string[]
  readonly box: string
  readonly status: 'enabled' | 'disabled'
  readonly reason: DisabledReason | null
  readonly failing_since: Date | null
  readonly disabled_at: Date | null
  readonly rate_limit: number | null
  readonly revision: bigint
  readonly created_at: Date
  readonly updated_at: Date
}

export type Whose = { readonly tenant: string; readonly mode: string }
export type EndpointRef = Whose & { readonly id: string }

const COLUMNS = `id, tenant, mode, version, patterns, box, status, reason, failing_since, disabled_at, rate_limit, revision,
  created_at, updated_at`

const CREATE = statement(
  'webhooks.create',
  `with made as (
     insert into webhooks.endpoint (id, tenant, mode, version, patterns, box, status, rate_limit, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, 'enabled', $7, log.now(), log.now()) returning *
   ), placed as (
     insert into webhooks.position (endpoint) select id from made
   )
   select ${COLUMNS} from made`,
)
export type NewEndpoint = Pick<EndpointRow, 'id' | 'tenant' | 'mode' | 'version' | 'patterns' | 'box' | 'rate_limit'>
export async function create(tx: Tx, endpoint: NewEndpoint): Promise<EndpointRow | undefined> {
  const { id, tenant, mode, version, patterns, box, rate_limit } = endpoint
  const [row] = await tx.query<EndpointRow>(CREATE, [id, tenant, mode, version, [...patterns], box, rate_limit])
  return row
}

const COUNT = statement(
  'webhooks.count',
  `select count(*)::int as n from webhooks.endpoint where tenant = $1 and mode = $2 and status <> 'deleted'`,
)
export async function countOf(tx: Tx, { tenant, mode }: Whose): Promise<number> {
  return (await tx.query<{ n: number }>(COUNT, [tenant, mode]))[0]?.n ?? 0
}

const LIST = statement(
  'webhooks.list',
  `select ${COLUMNS} from webhooks.endpoint
   where tenant = $1 and mode = $2 and status <> 'deleted' and id > $3 order by id limit $4`,
)
export function list(database: Database, { tenant, mode }: Whose, after: string, limit: number) {
  return database.query<EndpointRow>(LIST, [tenant, mode, after, limit])
}

const OF = `from webhooks.endpoint where id = $1 and tenant = $2 and mode = $3 and status <> 'deleted'`
const FIND = statement('webhooks.find', `select ${COLUMNS} ${OF}`)
export async function find(database: Database, { id, tenant, mode }: EndpointRef): Promise<EndpointRow | undefined> {
  return (await database.query<EndpointRow>(FIND, [id, tenant, mode]))[0]
}

const LOCK = statement('webhooks.lock', `select ${COLUMNS} ${OF} for update`)
/** Held until the commit: changes of one endpoint take turns. */
export async function lock(tx: Tx, { id, tenant, mode }: EndpointRef): Promise<EndpointRow | undefined> {
  return (await tx.query<EndpointRow>(LOCK, [id, tenant, mode]))[0]
}

const CHANGE = statement(
  'webhooks.change',
  `update webhooks.endpoint set patterns = $2, box = $3, rate_limit = $4, version = $5,
     revision = nextval('webhooks.revision'), updated_at = log.now()
   where id = $1 returning ${COLUMNS}`,
)
export async function change(
  tx: Tx,
  { id, patterns, box, rate_limit, version }: Pick<EndpointRow, 'id' | 'patterns' | 'box' | 'rate_limit' | 'version'>,
): Promise<EndpointRow | undefined> {
  return (await tx.query<EndpointRow>(CHANGE, [id, [...patterns], box, rate_limit, version]))[0]
}

const DELETE = statement(
  'webhooks.delete',
  `update webhooks.endpoint set status = 'deleted', reason = null, box = null, revision = nextval('webhooks.revision'),
     updated_at = log.now()
   where id = $1`,
)
/** Its secrets are gone at once; what it was sent stays. */
export async function remove(tx: Tx, id: string): Promise<void> {
  await tx.query(DELETE, [id])
}

const DISABLE = statement(
  'webhooks.disable',
  `update webhooks.endpoint set status = 'disabled', reason = $2, disabled_at = log.now(),
     revision = nextval('webhooks.revision'), updated_at = log.now()
   where id = $1 and status = 'enabled' returning ${COLUMNS}`,
)
/** Undefined when it was not enabled. */
export async function disable(tx: Tx, id: string, reason: DisabledReason): Promise<EndpointRow | undefined> {
  return (await tx.query<EndpointRow>(DISABLE, [id, reason]))[0]
}

const ENABLE = statement(
  'webhooks.enable',
  `update webhooks.endpoint set status = 'enabled', reason = null, disabled_at = null, failing_since = null,
     revision = nextval('webhooks.revision'), updated_at = log.now()
   where id = $1 and status = 'disabled' and ($2::text is null or reason = $2) returning ${COLUMNS}`,
)
/** Undefined when it was not disabled, or not for the reason given. */
export async function enable(tx: Tx, id: string, reason: DisabledReason | null): Promise<EndpointRow | undefined> {
  return (await tx.query<EndpointRow>(ENABLE, [id, reason]))[0]
}

const FAILING = statement(
  'webhooks.failing',
  `update webhooks.endpoint set failing_since = to_timestamp($2::float8 / 1000), revision = nextval('webhooks.revision')
   where id = $1 and status <> 'deleted'`,
)
/** Since when no delivery has succeeded, in Unix milliseconds; null when one has. */
export async function setFailing(database: Database, id: string, since: number | null): Promise<void> {
  await database.query(FAILING, [id, since])
}

const REVISIONS = statement(
  'webhooks.revisions',
  `select id, revision from webhooks.endpoint where status <> 'deleted'`,
)
export function revisions(database: Database): Promise<{ id: string; revision: bigint }[]> {
  return database.query(REVISIONS)
}

const LOAD = statement(
  'webhooks.load',
  `select ${COLUMNS} from webhooks.endpoint where id = any ($1) and status <> 'deleted'`,
)
export function load(database: Database, ids: readonly string[]): Promise<EndpointRow[]> {
  return database.query<EndpointRow>(LOAD, [ids])
}

const SUBSCRIBED = statement(
  'webhooks.subscribed',
  `select e.id, e.tenant, e.mode, e.version, e.patterns from webhooks.endpoint e
   join unnest($1::text[], $2::text[]) as w (tenant, mode) on e.tenant = w.tenant and e.mode = w.mode
   where e.status <> 'deleted' order by e.id`,
)
export type Subscriber = Pick<EndpointRow, 'id' | 'tenant' | 'mode' | 'version' | 'patterns'>
/** Endpoints of these tenants and modes, whatever they subscribe to. */
export function subscribers(tx: Tx, whose: readonly Whose[]): Promise<Subscriber[]> {
  return tx.query<Subscriber>(SUBSCRIBED, [whose.map(({ tenant }) => tenant), whose.map(({ mode }) => mode)])
}
