<?php

namespace Fanfare\Laravel\Http;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Session\NullSessionHandler;

/**
 * The user's session is read and not written: a hook is no visit of a page, whose flashed messages it would use up, and a client without a
 * cookie leaves no new session behind each time.
 */
final class ReadSessionOnly
{
    public function handle(Request $request, Closure $next): mixed
    {
        if ($request->hasSession()) {
            // Laravel 8 has no `setHandler` yet.
            (function (): void {
                $this->handler = new NullSessionHandler;
            })->call($request->session());
        }

        return $next($request);
    }
}
