/** The proposal of owners: everybody has a share, and a member more or less moves little. */
import fc from "fast-check";
import t from "tap";
import { proposeOwners } from "./ownership.ts";

const members = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });
const counts = fc.integer({ min: 1, max: 64 });

t.test("each partition has an owner, no member more than its share", (t) => {
  fc.assert(fc.property(members, counts, (members, count) => {
    const owners = proposeOwners(count, members);
    if (owners.size !== count) return false;
    const share = Math.ceil(count / members.length);
    return members.every((member) =>
      [...owners.values()].filter((owner) => owner === member).length <= share
    );
  }));
  t.end();
});

t.test("the order in which members are seen does not matter", (t) => {
  fc.assert(fc.property(members, counts, (members, count) => {
    const [a, b] = [proposeOwners(count, members), proposeOwners(count, [...members].reverse())];
    return [...a].every(([partition, owner]) => b.get(partition) === owner);
  }));
  t.end();
});

t.test("when a member goes, few partitions of the others move", (t) => {
  const names = ["ingester-1", "ingester-2", "ingester-3", "ingester-4"];
  const before = proposeOwners(64, names);
  const after = proposeOwners(64, names.slice(1));
  const moved = [...before].filter(([partition, owner]) =>
    owner !== names[0] && after.get(partition) !== owner
  );
  t.ok(moved.length <= 16, `${moved.length} of 48 moved`);
  t.equal(proposeOwners(8, []).size, 0);
  t.end();
});
