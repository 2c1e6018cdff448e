/*
 * panel.tsx - what floats: small panels under a button, drawers on the right, dialogs in the middle.
 *
 * Esc closes and gives the focus back to where it came from. A click beside a panel closes it.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './basic';

const FOCUSABLE = 'input:not([disabled]),button:not([disabled]),select,textarea,a[href],[tabindex="0"]';

export interface PanelProps {
    label: ComponentChildren;
    title: string;
    class?: string;
    wide?: boolean;
    open?: boolean;
    onOpen?: (open: boolean) => void;
    children: (close: () => void) => ComponentChildren;
}

export function Panel({ label, title, class: cls, wide, open: forced, onOpen, children }: PanelProps): JSX.Element {
    const [own, setOwn] = useState(false);
    const open = forced ?? own;
    const root = useRef<HTMLDivElement>(null);
    const box = useRef<HTMLDivElement>(null);
    const button = useRef<HTMLButtonElement>(null);
    const id = useId();
    const set = (next: boolean): void => {
        setOwn(next);
        onOpen?.(next);
    };
    const close = (): void => {
        set(false);
        button.current?.focus();
    };
    useEffect(() => {
        if (!open) return undefined;
        const outside = (e: Event): void => {
            if (!root.current?.contains(e.target as Node)) set(false);
        };
        document.addEventListener('pointerdown', outside, true);
        return () => document.removeEventListener('pointerdown', outside, true);
    }, [open]);
    useLayoutEffect(() => {
        const b = box.current;
        if (!open || !b) return;
        // Stay inside the window: first where CSS puts it, then shifted by what sticks out.
        const over = b.getBoundingClientRect().right - (document.documentElement.clientWidth - 8);
        if (over > 0 && getComputedStyle(b).position === 'absolute') b.style.left = `${-over}px`;
        (b.querySelector<HTMLElement>('[data-first]') ?? b.querySelector<HTMLElement>(FOCUSABLE))?.focus();
    }, [open]);
    return (
        <div class="panelhost" ref={root} onKeyDown={(e) => {
            if (e.key === 'Escape' && open) {
                e.stopPropagation();
                close();
            }
        }}>
            <button type="button" ref={button} class={cls} aria-haspopup="dialog" aria-expanded={open} aria-controls={open ? id : undefined} onClick={() => set(!open)}>
                {label}
            </button>
            {open ? (
                <div class={wide ? 'panel wide' : 'panel'} role="dialog" aria-label={title} id={id} ref={box} onFocusOut={(e) => {
                    const to = (e as FocusEvent).relatedTarget as Node | null;
                    if (to && !root.current?.contains(to)) set(false);
                }}>
                    <div class="panelhead"><h2>{title}</h2>
                        <button type="button" class="bare" aria-label="Close" onClick={close}><Icon name="close" /></button></div>
                    {children(close)}
                </div>
            ) : null}
        </div>
    );
}

export interface DialogProps {
    title: string;
    kind: 'middle' | 'drawer' | 'palette' | 'nav' | 'big';
    onClose: () => void;
    bare?: boolean;
    children: ComponentChildren;
}
export function Dialog({ title, kind, onClose, bare, children }: DialogProps): JSX.Element {
    const ref = useRef<HTMLDialogElement>(null);
    const id = useId();
    useLayoutEffect(() => {
        const d = ref.current;
        const from = document.activeElement as HTMLElement | null;
        if (d && !d.open) d.showModal();
        return () => {
            d?.close();
            from?.focus?.();
        };
    }, []);
    return (
        <dialog ref={ref} class={`dialog ${kind}`} aria-labelledby={bare ? undefined : id} aria-label={bare ? title : undefined}
            onCancel={(e) => {
                e.preventDefault();
                onClose();
            }}
            onPointerDown={(e) => {
                if (e.target === ref.current) onClose();
            }}>
            <div class="dialogbox">
                {bare ? null : (
                    <header class="dialoghead">
                        <h2 id={id} tabIndex={-1} {...(kind === 'drawer' || kind === 'big' ? { autofocus: true } : {})}>{title}</h2>
                        <button type="button" class="bare" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
                    </header>
                )}
                {children}
            </div>
        </dialog>
    );
}
