import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import type { Locales, RoomName } from "./i18n";
import { reachable, useLine } from "./stores/line";

declare module "vue-router" {
  interface RouteMeta {
    /** Locale key of the document's title. */
    title: string;
    rooms: RoomName[];
    /** "full": header and footer; "task": one thing to do, the page draws its own bar; "bare": fills the screen. */
    frame: "full" | "task" | "bare";
    /** "desk" is read at arm's length and driven by keyboard (smaller type). */
    density?: "desk";
  }
}

const apply = (title: string, frame: "full" | "task" | "bare" = "task") => ({
  title: `apply.titles.${title}`,
  rooms: ["apply"] as RoomName[],
  frame,
});
const desk = (title: string, rooms: RoomName[] = ["desk"]) => ({
  title: `desk.titles.${title}`,
  rooms,
  frame: "bare" as const,
  density: "desk" as const,
});

export const routes: RouteRecordRaw[] = [
  { path: "/", name: "home", component: () => import("./pages/Home.vue"), meta: apply("home", "full") },
  { path: "/apply", name: "apply", component: () => import("./pages/apply/Finder.vue"), meta: apply("finder") },
  { path: "/login", name: "login", component: () => import("./pages/Login.vue"), meta: apply("login") },
  { path: "/join/:token", name: "join", component: () => import("./pages/Join.vue"), meta: apply("join") },
  {
    path: "/cases/:id",
    component: () => import("./pages/apply/CaseFrame.vue"),
    children: [
      { path: "", name: "case", component: () => import("./pages/apply/Status.vue"), meta: apply("status", "full") },
      { path: "form", name: "form", component: () => import("./pages/apply/Form.vue"), meta: apply("form") },
      { path: "papers", name: "papers", component: () => import("./pages/apply/Papers.vue"), meta: apply("papers") },
      { path: "consents", name: "consents", component: () => import("./pages/apply/Consents.vue"), meta: apply("consents") },
      { path: "booking", name: "booking", component: () => import("./pages/apply/Booking.vue"), meta: apply("booking") },
      { path: "device", name: "device", component: () => import("./pages/apply/Device.vue"), meta: apply("device") },
      { path: "waiting", name: "waiting", component: () => import("./pages/apply/Waiting.vue"), meta: apply("waiting") },
      {
        path: "session",
        name: "session",
        component: () => import("./pages/apply/Session.vue"),
        meta: { title: "session.title", rooms: ["apply", "session"], frame: "bare" },
      },
      {
        path: "done",
        name: "done",
        component: () => import("./pages/apply/Done.vue"),
        meta: { title: "session.titles.done", rooms: ["apply", "session"], frame: "task" },
      },
    ],
  },
  {
    path: "/verify",
    name: "verify",
    component: () => import("./pages/Verify.vue"),
    meta: { title: "verify.title", rooms: ["verify"], frame: "full" },
  },
  {
    path: "/v/:code",
    name: "verify-code",
    component: () => import("./pages/Verify.vue"),
    meta: { title: "verify.title", rooms: ["verify"], frame: "full" },
  },
  {
    path: "/ledger",
    name: "ledger",
    component: () => import("./pages/Ledger.vue"),
    meta: { title: "ledger.title", rooms: ["ledger"], frame: "full" },
  },
  { path: "/desk/login", name: "desk-login", component: () => import("./pages/desk/Login.vue"), meta: desk("login") },
  { path: "/desk", name: "desk", component: () => import("./pages/desk/Queue.vue"), meta: desk("queue") },
  { path: "/desk/cases/:id", name: "desk-case", component: () => import("./pages/desk/CaseFile.vue"), meta: desk("case", ["desk", "apply"]) },
  {
    path: "/desk/sessions/:sid",
    name: "desk-session",
    component: () => import("./pages/desk/SessionConsole.vue"),
    meta: desk("session", ["desk", "session"]),
  },
  { path: "/desk/approvals", name: "approvals", component: () => import("./pages/desk/Approvals.vue"), meta: desk("approvals") },
  {
    path: "/desk/approvals/:id",
    name: "approval",
    component: () => import("./pages/desk/Approval.vue"),
    meta: desk("approval", ["desk", "session"]),
  },
  {
    path: "/:rest(.*)*",
    name: "nowhere",
    component: () => import("./pages/Nowhere.vue"),
    meta: { title: "common.nowhere.title", rooms: [], frame: "full" },
  },
];

export function createPages(locales: Locales) {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  });
  router.beforeEach(async (to) => {
    await locales.openRooms(["common", ...(to.meta.rooms ?? [])]);
  });
  router.afterEach((to) => {
    document.title = `${locales.i18n.global.t(to.meta.title)} · ${locales.i18n.global.t("common.brand")}`;
    document.documentElement.dataset.density = to.meta.density ?? "";
  });
  // A new version was put in place while this page was open: its old parts are gone, the new page has them all.
  // Out of reach is another matter: what is on the screen stays there until the office answers.
  router.onError(async (error: unknown, to) => {
    const gone = /import|preload|module/i.test(String(error));
    if (!gone || sessionStorage.getItem("farseal-renewed") === to.fullPath) return;
    if (!(await reachable())) return useLine().lost();
    sessionStorage.setItem("farseal-renewed", to.fullPath);
    location.assign(to.fullPath);
  });
  router.afterEach(() => sessionStorage.removeItem("farseal-renewed"));
  return router;
}
