import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [vue()],
  build: {
    outDir: "../server/static",
    emptyOutDir: true,
    sourcemap: false,
    target: "es2022",
    assetsInlineLimit: 0, // the page's CSP has no data: scripts or styles
  },
  test: { environment: "happy-dom" },
  server: { proxy: { "/api": "http://localhost:8080", "/log": "http://localhost:8080" } },
});
