import type pg from 'pg'
import type { Job } from '../outside/jobs.ts'
import type { Parking } from '../system.ts'
import { expect, expectNone } from './expect.ts'

/** A call as the outside saw it, with the clock of the process that made it. */
export type ProbeCall = {
  readonly id: string
  readonly payload: { readonly job: string; readonly notAfter: number | null }
  readonly destination: string
  readonly clockMs: number
  readonly sentAtStep: number
}

export type ProbeEvidence = {
  readonly jobs: readonly Job[]
  readonly parked: readonly Parking[]
  readonly probeCalls: readonly ProbeCall[]
}

/** What the probe wrote down, against what it was asked for and what the outside saw. */
export async function auditProbe(admin: pg.Client, evidence: ProbeEvidence): Promise<void> {
  await auditHandling(admin)
  await auditTimers(admin)
  await auditJobs(admin, evidence)
  await auditCalls(admin, evidence)
  const poisonKeys = new Set(evidence.jobs.filter(({ isPoison }) => isPoison).map(({ key }) => key))
  const wrong = evidence.parked.filter(({ group, key }) => group !== 'probe.decide' || !poisonKeys.has(key))
  expect(wrong.length === 0, `parked without poison: ${JSON.stringify(wrong)}`)
}

async function auditHandling(admin: pg.Client): Promise<void> {
  await expectNone(
    admin,
    'an event was handled twice',
    `select consumer, topic, key, "offset", count(*) from probe.handled group by 1, 2, 3, 4 having count(*) > 1`,
  )
  await expectNone(
    admin,
    'an event was not handled',
    `select e.topic, e.key, e."offset", e.id from log.event e
     where not exists (
       select from probe.handled h where h.topic = e.topic and h.key = e.key and h."offset" = e."offset"
     ) and e.timer_id is null and e.type like 'probe.%'`,
  )
  await expectNone(
    admin,
    'events of a key were handled out of order',
    `select * from (
       select consumer, topic, key, "offset",
         lag("offset") over (partition by consumer, topic, key order by sequence) as before
       from probe.handled
     ) h where before > "offset"`,
  )
  await expectNone(
    admin,
    'totals are not the sums of what was booked',
    `select * from (
       select data ->> 'account' as account, sum((data ->> 'amount')::bigint) as amount, count(*) as entries
       from log.event where type = 'probe.booked' group by 1
     ) b full join probe.total t using (account)
     where b.amount is distinct from t.amount or b.entries is distinct from t.entries`,
  )
}

async function auditTimers(admin: pg.Client): Promise<void> {
  await expectNone(
    admin,
    'a cancelled or moved timer counted',
    `with first as (
       select distinct on (job) * from probe.handled where consumer = 'decide' and timer is null order by job, sequence
     )
     select c.job, c.kind, r.kind as rang, r.timer from first c
     join first s on s.job = split_part(c.job, '!', 1) and s.kind = 'timer' and s.sequence < c.sequence
     join probe.handled r on r.job = s.job and r.sequence > c.sequence
     where (c.kind = 'cancel' and r.kind like 'rang%') or (c.kind = 'move' and r.kind = 'rang first')`,
  )
  await expectNone(
    admin,
    'a timer counted twice',
    `select job, kind, count(*) from probe.handled where kind like 'rang%' group by 1, 2 having count(*) > 1`,
  )
  await expectNone(
    admin,
    'a timer never counted',
    `with first as (
       select distinct on (job) * from probe.handled where consumer = 'decide' and timer is null order by job, sequence
     )
     select s.job, c.kind as changed from first s
     left join first c on c.job = s.job || '!' and c.sequence > s.sequence
     where s.kind = 'timer' and c.kind is distinct from 'cancel' and not exists (
       select from probe.handled r
       where r.job = s.job and r.kind = case when c.kind = 'move' then 'rang second' else 'rang first' end
     )`,
  )
}

async function auditJobs(admin: pg.Client, { jobs }: ProbeEvidence): Promise<void> {
  const { rows } = await admin.query(
    `select data ->> 'job' as job, count(*) as booked from log.event where type = 'probe.booked' group by 1`,
  )
  const booked = new Map(rows.map(({ job, booked }) => [job, booked]))
  const wrong = jobs.filter(({ job }) => booked.get(job) !== 1n)
  expect(wrong.length === 0, `accepted and not booked once: ${JSON.stringify(wrong)}`)
  expect(booked.size === jobs.length, 'something was booked that nobody asked for')
}

async function auditCalls(admin: pg.Client, { probeCalls: calls }: ProbeEvidence): Promise<void> {
  const { rows: answers } = await admin.query(
    `select data ->> 'job' as job, data ->> 'outcome' as outcome from log.event where type = 'probe.answered'`,
  )
  const seen = new Map<string, ProbeCall[]>()
  for (const call of calls) seen.set(call.payload.job, [...(seen.get(call.payload.job) ?? []), call])
  const { rows: deliveries } = await admin.query(
    `select id, destination, key, sequence, payload, state from delivery.delivery
     where destination like 'probe.%' order by sequence`,
  )
  for (const { payload, state, destination } of deliveries) {
    const { job } = payload
    const made = seen.get(job) ?? []
    const told = answers.filter((answer) => answer.job === job)
    expect(
      told.length === (state === 'done' ? 1 : 0),
      `${job}: one answer for one delivery, ${told.length} of ${state}`,
    )
    expect(told[0]?.outcome !== 'expired' || made.length === 0, `${job}: told as expired, and called`)
    const [first] = made
    const isLate = first !== undefined && payload.notAfter !== null && first.clockMs > payload.notAfter
    expect(!isLate, `${job}: called ${first?.clockMs} though not after ${payload.notAfter}`)
    if (destination === 'probe.once') expect(made.length <= 1, `${job}: called twice, which its destination forbids`)
    else expect(told[0]?.outcome !== 'done' || made.length > 0, `${job}: done, and the outside never saw it`)
  }
  auditOrderOfCalls(calls, deliveries)
}

/**
 * Deliveries of a destination and key begin in the order in which they were decided. A call that was given up may still
 * arrive after the next: what was sent can't be called back.
 */
function auditOrderOfCalls(
  calls: readonly ProbeCall[],
  deliveries: readonly { id: string; key: string; destination: string }[],
) {
  const first = new Map<string, number>()
  for (const { id, sentAtStep } of calls) first.set(id, Math.min(sentAtStep, first.get(id) ?? sentAtStep))
  const last = new Map<string, number>()
  for (const { id, key, destination } of deliveries) {
    const at = first.get(id)
    if (at === undefined) continue
    const before = last.get(`${destination}/${key}`) ?? -1
    expect(before < at, `${id}: overtook another of its key`)
    last.set(`${destination}/${key}`, at)
  }
}
