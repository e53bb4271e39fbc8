// Partitions with owner and lag, processes and NATS' streams, and above all what is wrong: what `tailrace cluster status` says.
import { useEffect } from "preact/hooks";
import { cluster, type ClusterStatus } from "../api/operations.ts";
import { Asked } from "../state/asked.ts";
import { AskedState } from "./AskedState.tsx";
import { formatBytes, formatCount } from "./figures.ts";

const asked = new Asked<ClusterStatus>();
const refreshMs = 5000;

export function ClusterCard() {
  useEffect(() => {
    ask();
    const timer = setInterval(ask, refreshMs);
    return () => clearInterval(timer);
  }, []);
  const found = asked.answer.value;
  return (
    <section class="card wide" aria-label="Cluster">
      <h2>Cluster</h2>
      <AskedState asked={asked} retry={ask} />
      {found !== undefined && (
        <>
          <Health found={found} />
          <Partitions found={found} />
          {found.streams.length > 0 && <Streams found={found} />}
        </>
      )}
    </section>
  );
}

function Health({ found }: { found: ClusterStatus }) {
  const { problems, ingesters, queriers, streams } = found;
  return (
    <>
      {problems.length === 0
        ? (
          <p class="rule-state state-well">
            <i aria-hidden="true" /> All is well
          </p>
        )
        : (
          <ul class="problem" role="alert">
            {problems.map((problem) => <li key={problem}>{problem}</li>)}
          </ul>
        )}
      <p class="hint">
        {streams.length === 0
          ? `One process, ${ingesters.join(", ")}, on its own files.`
          : `Ingesters: ${listed(ingesters)}. Queriers: ${listed(queriers)}.`}
      </p>
    </>
  );
}

function Partitions({ found }: { found: ClusterStatus }) {
  return (
    <div class="tree-frame" tabIndex={0} role="region" aria-label="Partitions">
      <table class="tree">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Owner</th>
            <th scope="col" class="number">Records not in segments</th>
            <th scope="col" class="number">Bytes in the log</th>
          </tr>
        </thead>
        <tbody>
          {found.partitions.map(({ partition, owner, next, checkpoint, bytes, bytesMax }) => (
            <tr key={partition}>
              <th scope="row">{partition}</th>
              <td class={owner === "" ? "has-errors" : ""}>{owner === "" ? "none" : owner}</td>
              <td class="number">{formatCount(Math.max(0, next - checkpoint))}</td>
              <td class="number">
                {formatBytes(bytes)}
                {bytesMax > 0 && ` of ${formatBytes(bytesMax)}`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Streams({ found }: { found: ClusterStatus }) {
  return (
    <details>
      <summary>{formatCount(found.streams.length)} streams in NATS</summary>
      <div class="tree-frame" tabIndex={0} role="region" aria-label="Streams in NATS">
        <table class="tree">
          <thead>
            <tr>
              <th scope="col">Stream</th>
              <th scope="col">Leader</th>
              <th scope="col" class="number">Messages</th>
              <th scope="col" class="number">Bytes</th>
              <th scope="col">Replicas</th>
            </tr>
          </thead>
          <tbody>
            {found.streams.map(({ name, leader, messages, bytes, problems }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{leader === "" ? "-" : leader}</td>
                <td class="number">{formatCount(messages)}</td>
                <td class="number">{formatBytes(bytes)}</td>
                <td class={problems.length === 0 ? "" : "has-errors"}>
                  {problems.length === 0 ? "ok" : problems.join(", ")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

function ask(): void {
  void asked.ask(String(Date.now()), cluster);
}
