(set-logic ALL)
(assert false)
(check-sat)
