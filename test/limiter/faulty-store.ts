import type { Changes, Found, Store } from "../../services/limiter/store/store.ts";

/** What goes wrong with the next flush. */
export type Fault = "none" | "not-committed" | "committed-but-lost";

/** The error of a connection that broke. */
class ConnectionLost extends Error {
  override name = "ConnectionLost";
  readonly code = "08006";
}

/** A store whose way to the database breaks when the test says so. */
export type FaultyStore = Store & { fault: Fault };

/** Puts such a way in front of a store. */
export function createFaultyStore(store: Store): FaultyStore {
  return {
    fault: "none",
    create: async (lane, ids, isPatient) => await store.create(lane, ids, isPatient),
    async flush(lane, wanted, decide: (found: Found) => Changes, isPatient) {
      const { fault } = this;
      this.fault = "none";
      if (fault === "not-committed") throw new ConnectionLost("lost before the commit");
      await store.flush(lane, wanted, decide, isPatient);
      if (fault === "committed-but-lost") throw new ConnectionLost("lost after the commit");
    },
    async charge(lane, charges) {
      const { fault } = this;
      this.fault = "none";
      if (fault === "not-committed") throw new ConnectionLost("lost before the commit");
      const charged = await store.charge(lane, charges);
      if (charged !== undefined && fault === "committed-but-lost") {
        throw new ConnectionLost("lost after the commit");
      }
      return charged;
    },
    read: async (wanted) => await store.read(wanted),
    findLeases: async (ids) => await store.findLeases(ids),
    sweep: async () => await store.sweep(),
    close: async () => await store.close(),
  };
}
