/** A planted bug: a patch to a file that is shipped. `find` is there exactly once. */
export type Mutant = { readonly name: string; readonly file: string; readonly find: string; readonly replace: string }

/** Ends the transaction that a handler runs in and begins another: what came before it is committed apart. */
function commitsApart(role: string): string {
  return `tx.script(\`select set_config('mutant.now', current_setting('millrace.now'), false); commit; begin;
    select set_config('millrace.now', current_setting('mutant.now'), true); set local role \${${role}}\`)`
}

const timers = 'src/log/migrations/006-timers.sql'
const tail = 'src/log/migrations/005-tail.sql'

export const mutants: readonly Mutant[] = [
  {
    name: 'acknowledged before the append',
    file: 'src/log/door.ts',
    find: '    const appended = await database.transaction(lockTimeoutMs',
    replace:
      '    for (const waiting of group) waiting.done()\n    const appended = await database.transaction(lockTimeoutMs',
  },
  {
    name: 'offset before effects',
    file: 'src/log/step.ts',
    find: '    const moveOn = () => sql.advance(tx, group, progress)\n',
    replace: `    await sql.advance(tx, group, progress)
    await ${commitsApart('consumer.role')}
    const moveOn = async () => {}\n`,
  },
  {
    name: 'effects before the offset',
    file: 'src/log/step.ts',
    find: '  await moveOn()\n',
    replace: `  await ${commitsApart('consumer.role')}\n  await moveOn()\n`,
  },
  {
    name: 'claim and read in one statement, by whoever held the lease once',
    file: tail,
    find: 'begin\n  select array_agg(c.topic), array_agg(c.partition), array_agg(c.next_offset)',
    replace: `begin
  return query
  select s.topic, s.partition, s."offset", s.position, s.time, s.key, s.type,
    case when s.type = any (p_types) then s.event end, p.key is not null, false
  from log.checkpoint k
  cross join lateral (
    select * from log.record r
    where r.topic = k.topic and r.partition = k.partition and r."offset" >= k.next_offset
    order by r."offset"
    limit p_per_partition
  ) s
  left join log.parked_key p on p.grp = p_group and p.key = s.key
  where k.grp = p_group and k.topic = any (p_topics) and k.partition = any (p_partitions)
  order by s.position, s.topic, s.partition, s."offset"
  limit p_total
  for update of k;
  return;
  select array_agg(c.topic), array_agg(c.partition), array_agg(c.next_offset)`,
  },
  {
    name: 'a timer that fired stays due',
    file: timers,
    find: 'set fired_at = log.now()',
    replace: 'set fired_at = null',
  },
  {
    name: 'a cancelled timer counts',
    file: 'src/log/step.ts',
    find: 'return events.filter(({ timer }) => timer === null || live.delete(sql.firingName(timer)))',
    replace: 'return events',
  },
  {
    name: 'the generation of a firing is ignored',
    file: timers,
    find: 'where t.id = w.id and t.generation = w.generation\n  returning t.id, t.generation',
    replace: 'where t.id = w.id\n  returning t.id, w.generation',
  },
  {
    name: 'a parked key lets a successor through',
    file: 'src/log/step.ts',
    find: '(row.is_parked ? parked : ready).push(row)',
    replace: 'ready.push(row)',
  },
  {
    name: 'heads are locked one by one, in the order of the facts',
    file: 'src/log/step.ts',
    find: '  const appended = encoded.length > 0 ? await append(tx, encoded) : undefined\n',
    replace: '  const appended = undefined\n  for (const one of encoded) await append(tx, [one])\n',
  },
  {
    name: 'readers are handed what is not committed',
    file: 'src/log/door.ts',
    find: '      return append(tx, events)\n    })\n    remember(tail, appended, group.flatMap(sourceOf))\n',
    replace: `      const early = await append(tx, events)
      remember(tail, early, group.flatMap(sourceOf))
    })\n`,
  },
  {
    name: 'offsets from a sequence',
    file: tail,
    find: 'v_firsts[e.head] + e.place, ',
    replace: `nextval('log.timer_generation'), `,
  },
  {
    name: 'the last report wins',
    file: 'src/payments/join.ts',
    find: 'before === undefined ? reported : joinStates(before, reported)',
    replace: 'before === undefined ? reported : reported ?? joinStates(before, reported)',
  },
  {
    name: 'gateway events are ticked off before they are placed',
    file: 'src/gateways/correlate.ts',
    find: '  const left = await sql.newEvents(tx, events.map(refOf))\n',
    replace: `  const left = await sql.newEvents(tx, events.map(refOf))\n  await ${commitsApart("'millrace_gateways'")}\n`,
  },
  {
    name: 'gateway facts keep the key they came with',
    file: 'src/gateways/correlate.ts',
    find: 'return follow(event, objectReported, data, { key: payment })',
    replace: 'return follow(event, objectReported, data, { part: payment })',
  },
  {
    name: 'a delivery is done before it is sent',
    file: 'src/delivery/sql.ts',
    find: 'set attempts = attempts + 1, first_attempt_at',
    replace: `set state = 'done', attempts = attempts + 1, first_attempt_at`,
  },
  {
    name: 'what may have been sent is sent again',
    file: 'src/delivery/kind.ts',
    find: `if (wasTriedUnseen && idempotency.kind === 'none') return 'hold'`,
    replace: '',
  },
  {
    name: 'an expired call is made',
    file: 'src/delivery/kind.ts',
    find: `return isLate ? 'expired' : 'send'`,
    replace: `return 'send'`,
  },
  {
    name: 'heads of deliveries move without their lock',
    file: 'src/delivery/sql.ts',
    find: '  await tx.query(LOCK_HEADS, places)',
    replace: '  if (settlements.length === 0) await tx.query(LOCK_HEADS, places)',
  },
  {
    name: 'a timeout is a failure',
    file: 'src/payments/decide.ts',
    find: `      return inquireLater(before, record(state, { fact: 'unknown', operation, account, since: event.time }), event)`,
    replace: `      return conclude(before, record(state, { fact: 'ended', outcome: 'refused', ...about }), event, { code })`,
  },
  {
    name: 'a payment is sent anew under another operation',
    file: 'src/gateways/simulated/client.ts',
    find: `'idempotency-key': operationId }`,
    replace: `'idempotency-key': \`\${operationId}/\${performance.now()}\` }`,
  },
  {
    name: 'balances are committed before the offset',
    file: 'src/ledger/index.ts',
    find: 'if (changes.length > 0) await sql.addToBalances(tx, changes)',
    replace: `if (changes.length > 0) await sql.addToBalances(tx, changes)\n    await ${commitsApart("'millrace_ledger'")}`,
  },
  {
    name: 'personal details in clear',
    file: 'src/intake/accept-payment.ts',
    find: 'details: seal.seal(key, JSON.stringify(details), detailsContext(tenant))',
    replace: 'details: JSON.stringify(details) + detailsContext(tenant)',
  },
  {
    name: 'deliverers have no fence',
    file: 'src/log/fenced.ts',
    find: 'new Set(await sql.fence(tx, group, leases))',
    replace: 'new Set(leases.keys())',
  },
  {
    name: 'refunds that are under way reserve nothing',
    file: 'src/payments/possible.ts',
    find: 'const reserved = reservedFor(state, lineage, currency)',
    replace: 'const reserved = reservedFor(state, { ...lineage, charges: [] }, currency)',
  },
  {
    name: 'a hold is captured and canceled at once',
    file: 'src/payments/possible.ts',
    find: `if (isUnderWay(state, lineage)) return impossible('operation_under_way')`,
    replace: 'isUnderWay(state, lineage)',
  },
  {
    name: 'the key of an operation does not name it',
    file: 'src/intake/accept-operation.ts',
    find: 'ports.operationId(offer.payment, offer.call, offer.idempotencyKey)',
    replace: 'ports.operationId(offer.payment, offer.call, offer.idempotencyKey + offer.traceparent)',
  },
  {
    name: 'a refund that timed out is made anew under another key',
    file: 'src/gateways/destination.ts',
    find: '      return client.refund({ ...about, objectId: call.object, amountMinor: call.amount, currency: call.currency })',
    replace: `      const refund = { ...about, objectId: call.object, amountMinor: call.amount, currency: call.currency }
      return client.refund(refund).then((first) =>
        first.outcome === 'unknown' ? client.refund({ ...refund, operationId: \`\${call.operation}again\` }) : first)`,
  },
  {
    name: 'a gateway that knows the payment has done what was asked',
    file: 'src/payments/decide.ts',
    find: '  if (!state.operations[operation]?.request) {\n    if (outcome',
    replace: '  if (state.operations[operation]) {\n    if (outcome',
  },
  {
    name: 'a cancellation that came too late counts as done',
    file: 'src/payments/operation.ts',
    find: `return phase === 'canceled' ? { status: 'succeeded' } : { status: 'failed', code: 'captured_first' }`,
    replace: `return { status: 'succeeded' }`,
  },
  {
    name: 'a partial capture is booked whole',
    file: 'src/payments/lineage.ts',
    find: `status === 'captured' || status === 'authorized' ? charge.captured : 0`,
    replace: `status === 'captured' || status === 'authorized' ? Math.sign(charge.captured) * charge.amount : 0`,
  },
  {
    name: 'sequences of webhooks are taken apart from what they are for',
    file: 'src/webhooks/fan-out.ts',
    find: '  const payload = payloads()\n',
    replace: `  await ${commitsApart("'millrace_webhooks'")}\n  const payload = payloads()\n`,
  },
  {
    name: 'a message is written apart from its delivery',
    file: 'src/webhooks/fan-out.ts',
    find: '  return {\n    deliveries: placed',
    replace: `  await ${commitsApart("'millrace_webhooks'")}\n  return {\n    deliveries: placed`,
  },
  {
    name: 'messages of a payment do not wait for each other',
    file: 'src/webhooks/fan-out.ts',
    find: '    destination: destinationOf(endpoint),\n    key,',
    replace: '    destination: destinationOf(endpoint),\n    key: String(sequence),',
  },
  {
    name: 'a message that fails is given up',
    file: 'src/webhooks/call.ts',
    find: 'clock.now() - delivery.firstAttemptAt >= GIVE_UP_AFTER_MS',
    replace: 'clock.now() - delivery.firstAttemptAt >= GIVE_UP_AFTER_MS / 1e6',
  },
  {
    name: 'a request is answered before the spool has it',
    file: 'src/spool/spool.ts',
    find: '    await files.append(own.name, rows)\n',
    replace: '    void files.append(own.name, rows)\n',
  },
  {
    name: 'what the spool hands over is removed before the log has it',
    file: 'src/spool/drain.ts',
    find: '      await door.commit(together(batch.rows))\n      await batch.done(batch.rows)\n',
    replace: '      await batch.done(batch.rows)\n      await door.commit(together(batch.rows))\n',
  },
]
